"""A published UDP port delivers datagrams."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS
from dashboard.core.claims.judges import judge_arrived
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_datagram
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = ("docker run -d --name app -p 8185:8185/udp IMAGE sleep 60",)

CLAIM = Claim(
    id="udp-published",
    topic=Topic.PUBLISHING,
    statement="A published UDP port delivers a datagram from another machine, with the address of its sender.",
    source="Docker documentation, “Port publishing and mapping”",
    exact="A bare -p 8185:8185 publishes TCP only.",
    observe=observe_datagram(LINES, NEIGHBOUR, "app", "{machine}", 8185),
    judge=judge_arrived(NEIGHBOUR_ADDRESS),
    lines=(*LINES, "socat - UDP4:{machine}:8185  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"8185:8185/udp": "8185:8185/tcp"},
    otherwise=(
        Expectation(
            ROOTLESS_PODMAN,
            not_testable="Without root, rootlessport forwards requests: the server sees an address of its own network.",
        ),
        Expectation(
            EngineCondition(iptables=False),
            not_testable="With iptables=false docker-proxy serves datagrams as well, from the gateway.",
        ),
    ),
)
