#!/bin/sh
# Runs inside the new network, mount and UTS namespaces of a machine, then becomes RootlessKit as an ordinary user of it.
# $1 name, $2 folder with etc/ and cgroups, $3 folder of the socket, $4 root of another distribution or empty,
# $5 network driver, $6 port driver.
set -eu

name=$1
folder=$2
run=$3
root=$4
network=$5
ports=$6
user=64100

while read -r file; do
    echo $$ > "$file"
done < "$folder/cgroups"

echo "$name" > /proc/sys/kernel/hostname

# RootlessKit replaces /etc and /run by a tmpfs with links to the real ones.
for file in passwd group subuid subgid resolv.conf hosts; do
    [ -e "/etc/$file" ] || : > "/etc/$file"
    mount --bind "$folder/etc/$file" "/etc/$file"
done

# slirp4netns and pasta open this device as the user.
mount -t tmpfs -o mode=0755 netmodes-net /dev/net
mknod -m 0666 /dev/net/tun c 10 200

ip -batch - <<BATCH
link set lo up
link add eth0 type veth peer name uplink
address add 192.0.2.2/24 dev eth0
link set eth0 up
link set uplink up
route add default via 192.0.2.1 dev eth0
BATCH

# The user cannot reach a folder below one of root's, but a mount of it. RootlessKit replaces /run by links, which runc
# does not accept.
home=/mnt/home
mount -t tmpfs -o mode=0755 netmodes-home /mnt
mkdir "$home"
mount --bind "$folder/home" "$home"
chown "$user:$user" "$run" "$home"

# RootlessKit and its tools are this machine's; only dockerd runs with the programs of another root.
if [ -n "$root" ]; then
    mkdir /mnt/usr
    mount --bind "$root/usr" /mnt/usr
fi
chmod 0700 "$run"
exec setpriv --reuid "$user" --regid "$user" --clear-groups -- env -i \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    "NETMODES_PRIVATE_HOST=$name" HOME="$home" XDG_RUNTIME_DIR="$run" \
    rootlesskit --state-dir="$run/kit" --net="$network" --mtu=1500 --port-driver="$ports" \
    --slirp4netns-sandbox=auto --slirp4netns-seccomp=auto --disable-host-loopback \
    --copy-up=/etc --copy-up=/run --propagation=rslave -- \
    /bin/sh -c 'rm -f /run/docker /run/containerd /run/xtables.lock
        [ ! -d /mnt/usr ] || mount --rbind /mnt/usr /usr
        exec dockerd "$@"' dockerd \
    --rootless --log-level warn --data-root "$home/data" --exec-root "$run/exec" --pidfile "$run/docker.pid" \
    -H "unix://$run/docker.sock"
