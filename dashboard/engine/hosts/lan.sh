# shellcheck shell=sh disable=SC2154  # $folder, $run and $net are those of the script that sources this one
# A LAN, so that the host looks like a machine: eth0 with an address in the host's network namespace ($net), a switch and
# a router in a namespace of their own, and a neighbour without Docker in another. The router rejects everything else. It
# rejects with a firewall rule because the kernel limits the rate of ICMP for routing errors (net.ipv4.route.error_cost),
# and every name lookup would take seconds to fail. The neighbour has routes through the host to the networks from which
# Docker takes its subnets: whether its packets reach a container is then decided by the host's rules alone.
# The namespaces live as long as these mounts, and so as long as the host.
for space in lan neighbour; do
    : > "$run/$space"
    unshare --net="$run/$space" true
done
stat -Lc %i "$run/neighbour" > "$folder/neighbour"
ip -batch - <<BATCH
link add eth0 type veth peer name uplink netns $run/lan
BATCH
[ "$net" = /proc/self/ns/net ] || ip link set eth0 netns "$net"
nsenter --net="$net" ip -batch - <<BATCH
link set lo up
address add 192.0.2.2/24 dev eth0
link set eth0 up
route add default via 192.0.2.1 dev eth0
BATCH
nsenter --net="$net" ip -6 -batch - <<BATCH || true
address add 2001:db8::2/64 dev eth0 nodad
BATCH
nsenter --net="$run/lan" ip -batch - <<BATCH
link set lo up
link add lan type bridge
link add neighbour type veth peer name eth0 netns $run/neighbour
link set uplink master lan
link set neighbour master lan
address add 192.0.2.1/24 dev lan
link set uplink up
link set neighbour up
link set lan up
route add default dev lo
BATCH
# Frames between ports of the switch do not pass the router's rules.
nsenter --net="$run/lan" sh -c '
    for file in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do
        [ ! -e "$file" ] || echo 0 > "$file"
    done
    echo 1 > /proc/sys/net/ipv4/ip_forward
    echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
    iptables -w 5 -A FORWARD -j REJECT --reject-with icmp-admin-prohibited || true
    ip -6 address add 2001:db8::1/64 dev lan nodad 2>/dev/null || true'
nsenter --net="$run/neighbour" ip -batch - <<BATCH
link set lo up
address add 192.0.2.10/24 dev eth0
link set eth0 up
route add default via 192.0.2.1 dev eth0
route add 172.16.0.0/12 via 192.0.2.2 dev eth0
route add 192.168.0.0/16 via 192.0.2.2 dev eth0
BATCH
nsenter --net="$run/neighbour" ip -6 -batch - <<BATCH || true
address add 2001:db8::10/64 dev eth0 nodad
route add fd00::/8 via 2001:db8::2 dev eth0
BATCH
