"""A bridge container's large transfers stall behind a smaller MTU without ICMP."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.judges import judge_stalled
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_transfers

LINES = (
    "ip link set eth0 mtu 1400",
    "iptables -I OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP",
    "docker run -d --name client --network bridge IMAGE sleep 60",
)

CLAIM = Claim(
    id="mtu-stalls",
    topic=Topic.BRIDGE,
    statement="Behind an uplink with a smaller MTU, large transfers of a bridge container stall while small ones "
    "succeed, if the ICMP message “fragmentation needed” is filtered.",
    source="ip(7), IP_MTU_DISCOVER; RFC 2923; Docker documentation, “Bridge network driver”, "
    "com.docker.network.driver.mtu",
    exact="The connection opens and small requests work, so the server seems to hang.",
    observe=observe_transfers(LINES, "client", 8190, 500, 200_000),
    judge=judge_stalled,
    lines=(
        *LINES,
        "docker exec client sh -c 'head -c 200000 /dev/zero | nc 192.0.2.10 8190'",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={"eth0 mtu 1400": "eth0 mtu 1500"},
    otherwise=(Expectation(PODMAN, not_testable="Newer versions of netavark give a bridge the MTU of the uplink."),),
)
