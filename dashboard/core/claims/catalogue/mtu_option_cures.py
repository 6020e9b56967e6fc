"""The MTU of the network fixes stalled transfers."""

from dashboard.core.claims.judges import judge_complete
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_transfers

LINES = (
    "ip link set eth0 mtu 1400",
    "iptables -I OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP",
    "docker network create -o com.docker.network.driver.mtu=1400 lab",
    "docker run -d --name client --network {lab} IMAGE sleep 60",
)

CLAIM = Claim(
    id="mtu-option-cures",
    topic=Topic.BRIDGE,
    statement="A network with the MTU of the uplink fixes stalled transfers, even without ICMP messages.",
    source="ip(7), IP_MTU_DISCOVER; RFC 2923; Docker documentation, “Bridge network driver”, "
    "com.docker.network.driver.mtu",
    observe=observe_transfers(LINES, "client", 8190, 500, 200_000),
    judge=judge_complete,
    lines=(
        *LINES,
        "docker exec client sh -c 'head -c 200000 /dev/zero | nc 192.0.2.10 8190'",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={"driver.mtu=1400": "driver.mtu=1500"},
)
