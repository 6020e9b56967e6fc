"""With ICMP a bridge container discovers the smaller MTU."""

from dashboard.core.claims.judges import judge_complete
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_transfers

LINES = (
    "ip link set eth0 mtu 1400",
    "iptables -I OUTPUT -p icmp --icmp-type fragmentation-needed -j ACCEPT",
    "docker run -d --name client --network bridge IMAGE sleep 60",
)

CLAIM = Claim(
    id="mtu-icmp-repairs",
    topic=Topic.BRIDGE,
    statement="If the ICMP message “fragmentation needed” reaches the container, it sends smaller packets and "
    "large transfers complete, whatever the MTU of its interface.",
    source="ip(7), IP_MTU_DISCOVER; RFC 2923; Docker documentation, “Bridge network driver”, "
    "com.docker.network.driver.mtu",
    observe=observe_transfers(LINES, "client", 8190, 500, 200_000),
    judge=judge_complete,
    lines=(
        *LINES,
        "docker exec client sh -c 'head -c 200000 /dev/zero | nc 192.0.2.10 8190'",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={"fragmentation-needed -j ACCEPT": "fragmentation-needed -j DROP"},
)
