"""A program bound to 127.0.0.1 inside refuses other machines."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = ("docker run -d --name web -p 8149:80 -e NETMODES_ADDRESS=127.0.0.1 IMAGE",)

CLAIM = Claim(
    id="loopback-inside-from-lan",
    topic=Topic.PUBLISHING,
    statement="A program that binds to 127.0.0.1 inside a bridge container refuses connections from other machines: "
    "their packets arrive at the container's eth0.",
    source="Docker documentation, “Port publishing and mapping”",
    exact="From the machine the same port looks different: docker-proxy accepts, and the response is empty.",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "{machine}", 8149)),
    judge=judge_exchanges(NO_CONNECTION),
    lines=(*LINES, "curl http://{machine}:8149/  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={" -e NETMODES_ADDRESS=127.0.0.1": ""},
    otherwise=(
        Expectation(ROOTLESS_PODMAN, not_testable="Without root, rootlessport accepts every connection."),
        Expectation(
            EngineCondition(iptables=False), not_testable="With iptables=false docker-proxy accepts every connection."
        ),
    ),
)
