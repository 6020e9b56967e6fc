#!/bin/sh
# Runs as process 1 of new pid, network, mount and UTS namespaces, then becomes a dockerd that is reached over TLS and SSH.
# $1 name, $2 folder with cgroups, certs/ and sshd_config, $3 folder for sockets, $4 root of another distribution or empty,
# $5 the pid of a process in the client's network namespace, $6 and $7 the addresses of the client and of this machine.
set -eu

name=$1
folder=$2
run=$3
root=$4
client=$5
client_address=$6
address=$7

while read -r file; do
    echo $$ > "$file"
done < "$folder/cgroups"

echo "$name" > /proc/sys/kernel/hostname

ip -batch - <<BATCH
link set lo up
link add eth0 type veth peer name $name netns /proc/$client/ns/net
address add $address/30 dev eth0
link set eth0 up
route add default via $client_address dev eth0
BATCH

# The process of the client has another number here: /proc shows this pid namespace from now on.
mount -t proc proc /proc
mkdir -p /run/containerd /run/sshd
mount -t tmpfs -o mode=0711 netmodes-containerd /run/containerd

if [ -e "$folder/sshd_config" ]; then
    /usr/sbin/sshd -f "$folder/sshd_config" -E "$folder/sshd.log"
fi

if [ -n "$root" ]; then
    for place in etc/alternatives etc/ld.so.cache usr; do
        [ ! -e "$root/$place" ] || mount --bind "$root/$place" "/$place"
    done
fi

exec dockerd --log-level warn --data-root "$folder/data" --exec-root "$run/exec" --pidfile "$run/docker.pid" \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$name/containers" \
    --tlsverify --tlscacert "$folder/certs/ca.pem" --tlscert "$folder/certs/server.pem" \
    --tlskey "$folder/certs/server-key.pem" \
    -H "unix://$run/docker.sock" -H "tcp://$address:2376"
