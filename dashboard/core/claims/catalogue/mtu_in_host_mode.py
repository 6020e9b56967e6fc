"""In host mode transfers do not stall behind a smaller MTU."""

from dashboard.core.claims.judges import judge_complete
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_transfers

LINES = (
    "ip link set eth0 mtu 1400",
    "iptables -I OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP",
    "docker run -d --name client --network host IMAGE sleep 60",
)

CLAIM = Claim(
    id="mtu-in-host-mode",
    topic=Topic.BRIDGE,
    statement="In host mode large transfers do not stall behind an uplink with a smaller MTU: the program's packets "
    "fit the uplink's MTU.",
    source="ip(7), IP_MTU_DISCOVER; RFC 2923; Docker documentation, “Bridge network driver”, "
    "com.docker.network.driver.mtu",
    observe=observe_transfers(LINES, "client", 8190, 500, 200_000),
    judge=judge_complete,
    lines=(
        *LINES,
        "docker exec client sh -c 'head -c 200000 /dev/zero | nc 192.0.2.10 8190'",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={"--network host": "--network bridge"},
)
