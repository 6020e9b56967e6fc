#!/bin/sh
# Runs inside the new network, mount and UTS namespaces of a private host, then becomes its dockerd.
# $1 name, $2 folder with etc/, root, cgroups, layers and daemon.json, $3 short folder for sockets, $4 Python, $5 program that
# creates the LAN, $6 its package.
set -eu

name=$1
folder=$2
run=$3
python=$4
lan=$5
package=$6

# First, so that everything started from here on is in the host's cgroup.
while read -r file; do
    echo $$ > "$file"
done < "$folder/cgroups"

echo "$name" > /proc/sys/kernel/hostname

# Mount the layers of the template, unless the image was removed from this host. Docker bind-mounts its data-root onto
# itself, hiding what is mounted below, unless it is a shared mount already (moby, daemon/daemon_linux.go).
if [ -s "$folder/layers" ]; then
    mount --bind "$folder/data" "$folder/data"
    mount --make-shared "$folder/data"
fi
while read -r line; do
    place=${line##* } # the last word: the path before it may contain blanks
    [ ! -d "$folder/data/$place" ] || mount -o bind,ro "${line% *}" "$folder/data/$place"
done < "$folder/layers"

# dockerd would use the machine's containerd if it could see it (moby, cmd/dockerd/daemon_unix.go), and the sockets of
# shims are in this folder regardless of --exec-root.
mkdir -p /run/containerd
mount -t tmpfs -o mode=0711 netmodes-containerd /run/containerd

for file in resolv.conf hosts subuid subgid; do
    [ ! -e "/etc/$file" ] || [ ! -e "$folder/etc/$file" ] || mount --bind "$folder/etc/$file" "/etc/$file"
done

# The user of remapped containers must reach the data, whose folder is closed to all but root.
data=$folder/data
if [ -e "$folder/etc/subuid" ]; then
    data=$run/data
    mkdir -p "$folder/data" "$data"
    mount --bind "$folder/data" "$data"
fi

"$python" -I -S -c "$lan" "$package" "$folder" "$run"

# The programs of another root, so that its engine runs: dockerd, containerd, runc, docker-proxy and iptables.
root=$(cat "$folder/root" 2> /dev/null || :)
if [ -n "$root" ]; then
    for place in etc/alternatives etc/ld.so.cache usr; do
        [ ! -e "$root/$place" ] || mount --bind "$root/$place" "/$place"
    done
    # Engine 20.10 keeps a key there, which would be that of every host.
    mkdir -p /etc/docker "$folder/etc/docker"
    mount --bind "$folder/etc/docker" /etc/docker
fi

# Programs that the engine needs, or another way to start it: the path of a script, and its name with parameters.
line=
read -r line < "$folder/setup" || :
setup=${line##* }
# shellcheck disable=SC1090  # one of setups/
[ -z "$setup" ] || . "${line% *}"

exec dockerd \
    --config-file "$folder/daemon.json" \
    --data-root "$data" \
    --exec-root "$run/exec" \
    --pidfile "$run/docker.pid" \
    --exec-opt native.cgroupdriver=cgroupfs \
    --cgroup-parent "/$name/containers" \
    -H "unix://$run/docker.sock"
