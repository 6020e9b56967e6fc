#!/bin/sh
# Process 1 of a machine in network, mount, pid and UTS namespaces of its own: it attaches the machine to the LAN and runs
# its Docker Engine. Everything on the machine ends with it.
# $1 name, also of the cgroup; $2 the link on the switch; $3 address with prefix length; $4 folder for the engine's data;
# $5 root with the engine's programs, or -. Descriptor 3 is the network namespace of the switch.
set -eu

name=$1 link=$2 address=$3 folder=$4 root=$5

echo "$name" > /proc/sys/kernel/hostname
mount -t tmpfs -o mode=0755 netmodes-machine /run
exec 4< /proc/self/ns/net
nsenter --net=/proc/self/fd/3 ip link add "$link" type veth peer name eth0 netns /proc/self/fd/4
nsenter --net=/proc/self/fd/3 ip link set "$link" master lan up
exec 3<&- 4<&-
ip link set lo up
ip address add "$address" dev eth0
ip link set eth0 up

# In a mount namespace of its own, so that the lab keeps the programs of this machine.
# shellcheck disable=SC2016  # the inner shell expands its own arguments
unshare --mount --propagation private sh -c '
    root=$1 folder=$2
    shift 2
    if [ "$root" != - ]; then
        for place in etc/alternatives etc/ld.so.cache usr; do
            [ ! -e "$root/$place" ] || mount --bind "$root/$place" "/$place"
        done
    fi
    # Engine 20.10 keeps a key in this folder.
    mkdir -p /etc/docker "$folder/etc"
    mount --bind "$folder/etc" /etc/docker
    exec dockerd "$@"' sh "$root" "$folder" \
    --log-level warn \
    --data-root "$folder/data" \
    --exec-root /run/docker \
    --pidfile /run/docker.pid \
    --exec-opt native.cgroupdriver=cgroupfs \
    --cgroup-parent "/$name/containers" \
    -H unix:///run/docker.sock &
daemon=$!
# This shell also collects processes that have lost their parent.
while kill -0 "$daemon" 2> /dev/null; do
    wait "$daemon" || :
done
