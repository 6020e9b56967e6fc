# shellcheck shell=sh disable=SC2154  # $run and $net are those of the script that sources this one
# A LAN in a namespace of its own, so that the host looks like a machine: eth0 with an address in the host's network
# namespace ($net), and a router that rejects everything else. It rejects with a firewall rule because the kernel limits
# the rate of ICMP for routing errors (net.ipv4.route.error_cost), and every name lookup would take seconds to fail. The
# namespace lives as long as this mount, and so as long as the host.
: > "$run/lan"
unshare --net="$run/lan" true
ip -batch - <<BATCH
link add eth0 type veth peer name uplink
link set uplink netns $run/lan
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
address add 192.0.2.1/24 dev uplink
link set uplink up
route add default dev lo
BATCH
nsenter --net="$run/lan" sh -c '
    echo 1 > /proc/sys/net/ipv4/ip_forward
    echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
    iptables -w 5 -A FORWARD -j REJECT --reject-with icmp-admin-prohibited || true
    ip -6 address add 2001:db8::1/64 dev uplink nodad 2>/dev/null || true'
