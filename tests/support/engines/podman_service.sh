#!/bin/sh
# Runs in new network, mount and UTS namespaces, then becomes a Podman service.
# $1 folder for storage and sockets, $2 OCI runtime.
set -eu

folder=$1
runtime=$2

echo podman-host > /proc/sys/kernel/hostname
ip -batch - <<BATCH
link set lo up
link add eth0 type veth peer name uplink
link set uplink up
address add 192.0.2.2/24 dev eth0
link set eth0 up
route add default via 192.0.2.1 dev eth0
BATCH

# Locks and namespaces of other Podman services and of ip-netns(8) stay untouched.
mkdir -p /run/netns /run/containers /run/libpod
for place in netns containers libpod; do
    mount -t tmpfs "netmodes-$place" "/run/$place"
done
echo "nameserver 192.0.2.1" > "$folder/resolv.conf"
mount --bind "$folder/resolv.conf" /etc/resolv.conf
# Podman's main thread may later remain in the network namespace of a container.
touch "$folder/netns"
mount --bind /proc/self/ns/net "$folder/netns"

exec podman --runtime "$runtime" --root "$folder/storage" --runroot "$folder/run" --tmpdir "$folder/tmp" \
    --storage-driver overlay --network-config-dir "$folder/networks" --cgroup-manager cgroupfs --events-backend file \
    system service --time=0 "unix://$folder/podman.sock"
