# shellcheck shell=sh disable=SC2154  # $folder, $run and $net are variables of private_host.sh, or of the environment
# The LAN of a host, which makes the host look like a machine: eth0 with an address in the host's network namespace ($net),
# a switch and a router in another namespace, and neighbours without Docker in further ones. The router rejects the rest. It
# rejects with a firewall rule because the kernel limits the rate of ICMP for routing errors (net.ipv4.route.error_cost),
# and every name lookup would take seconds to fail. A neighbour has routes through the first host to the networks from which
# Docker takes its subnets: so only the host's rules decide whether its packets reach a container.
# The namespaces last as long as these mounts, and so until the last host on the LAN stops. A host that is started again joins
# a host that still runs, or creates them anew.

# The host's number, the number of neighbours, and the MTU, delay in milliseconds and loss in percent of each link;
# then, if this host joins the LAN of another one, that host's folder for sockets as this machine sees it, and its
# folder. A hyphen stands for no value.
number=1 neighbours=1 mtu=1500 delay=- loss=- joined=- files=-
[ ! -e "$folder/lan" ] || read -r number neighbours mtu delay loss joined files < "$folder/lan"
ipv4=192.0.2.$((number + 1)) ipv6=2001:db8::$((number + 1))

hold_namespace() { # creates a namespace, or holds that of the joined LAN
    : > "$run/$1"
    if [ "$joined" = - ]; then
        unshare --net="$run/$1" stat -Lc %i /proc/self/ns/net > "$folder/netns-$1"
    else
        # Root of the other host may have replaced the file: the namespace must be the one that was recorded.
        # shellcheck disable=SC2016 # expanded inside
        nsenter --net="$joined/$1" sh -c '[ "$(stat -Lc %i /proc/self/ns/net)" = "$1" ] && mount --bind /proc/self/ns/net "$2"' \
            sh "$(cat "$files/netns-$1")" "$run/$1"
        cat "$files/netns-$1" > "$folder/netns-$1"
    fi
}

shape() { # gives a link of the switch its delay and loss
    if [ "$delay$loss" != -- ]; then
        # shellcheck disable=SC2046 # words
        nsenter --net="$run/lan" tc qdisc add dev "$1" root netem \
            $([ "$delay" = - ] || echo "delay ${delay}ms") $([ "$loss" = - ] || echo "loss $loss%")
    fi
}

neighbour_links() { # the commands that connect new neighbours to the switch
    for space in $spaces; do
        echo "link add $space mtu $mtu type veth peer name eth0 mtu $mtu netns $run/$space"
        echo "link set $space master lan up"
    done
}

spaces='' count=1
while [ "$count" -le "$neighbours" ]; do
    spaces="$spaces neighbour${count#1}"
    count=$((count + 1))
done
for space in lan $spaces; do
    hold_namespace "$space"
done

uplink=uplink$number
# The link address (RFC 7042, documentation) depends on the number only: the other machines on the LAN still know it when the host
# is started again.
link="link add $uplink mtu $mtu type veth peer name eth0 address 00:00:5e:00:53:0$number mtu $mtu netns $net
link set $uplink master lan up"
if [ "$joined" = - ]; then
    # Frames between ports of the switch do not pass the router's rules.
    # shellcheck disable=SC2016  # the inner shell expands $file
    nsenter --net="$run/lan" sh -euc '
        ip -batch -
        for file in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do
            [ ! -e "$file" ] || echo 0 > "$file"
        done
        echo 1 > /proc/sys/net/ipv4/ip_forward
        echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
        iptables -w 5 -A FORWARD -j REJECT --reject-with icmp-admin-prohibited || true
        ip -6 address add 2001:db8::1/64 dev lan nodad 2>/dev/null || true' <<BATCH
link set lo up
link add lan type bridge
address add 192.0.2.1/24 dev lan
link set lan up
route add default dev lo
$link
$(neighbour_links)
BATCH
else
    # A host that is started again: the kernel removes the link to its former namespace only some time after that has ended.
    nsenter --net="$run/lan" ip link delete "$uplink" 2>/dev/null || :
    echo "$link" | nsenter --net="$run/lan" ip -batch -
fi

shape "$uplink"
nsenter --net="$net" ip -batch - <<BATCH
link set lo up
address add $ipv4/24 dev eth0
link set eth0 up
route add default via 192.0.2.1 dev eth0
BATCH
nsenter --net="$net" ip -6 -batch - <<BATCH || true
address add $ipv6/64 dev eth0 nodad
BATCH

[ "$joined" = - ] || spaces=
count=10
for space in $spaces; do
    shape "$space"
    nsenter --net="$run/$space" ip -batch - <<BATCH
link set lo up
address add 192.0.2.$count/24 dev eth0
link set eth0 up
route add default via 192.0.2.1 dev eth0
route add 172.16.0.0/12 via $ipv4 dev eth0
route add 192.168.0.0/16 via $ipv4 dev eth0
BATCH
    nsenter --net="$run/$space" ip -6 -batch - <<BATCH || true
address add 2001:db8::$count/64 dev eth0 nodad
route add fd00::/8 via $ipv6 dev eth0
BATCH
    count=$((count + 1))
done
