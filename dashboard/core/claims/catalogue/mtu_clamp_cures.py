"""Clamping the MSS fixes stalled transfers."""

from dashboard.core.claims.judges import judge_complete
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_transfers

LINES = (
    "ip link set eth0 mtu 1400",
    "iptables -I OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP",
    "iptables -t mangle -I FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
    "docker run -d --name client --network bridge IMAGE sleep 60",
)

CLAIM = Claim(
    id="mtu-clamp-cures",
    topic=Topic.BRIDGE,
    statement="A rule on the machine that clamps the segment size (MSS) of forwarded connections also fixes stalled "
    "transfers.",
    source="ip(7), IP_MTU_DISCOVER; RFC 2923; Docker documentation, “Bridge network driver”, "
    "com.docker.network.driver.mtu",
    observe=observe_transfers(LINES, "client", 8190, 500, 200_000),
    judge=judge_complete,
    lines=(
        *LINES,
        "docker exec client sh -c 'head -c 200000 /dev/zero | nc 192.0.2.10 8190'",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={"--clamp-mss-to-pmtu": "--set-mss 1460"},
)
