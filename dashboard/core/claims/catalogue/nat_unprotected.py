"""The gateway mode nat-unprotected opens all ports to routed requests."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker network create -o com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected lab",
    "docker run -d --name web --network {lab} IMAGE",
)

CLAIM = Claim(
    id="nat-unprotected",
    topic=Topic.PUBLISHING,
    statement="In gateway mode nat-unprotected, another machine with a route reaches every port of a container, "
    "published or not.",
    source="Docker documentation, “Port publishing and mapping”, gateway modes",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "web.address", 80, routed=True)),
    judge=judge_exchanges(answers(NEIGHBOUR_ADDRESS)),
    lines=(
        *LINES,
        "ip route add SUBNET via MACHINE  # on another machine",
        "curl http://ADDRESS/  # on another machine",
    ),
    needs=frozenset({Need.PRIVATE}),
    mutation={"=nat-unprotected": "=nat"},
    otherwise=(
        Expectation(EngineCondition(before=(28, 0)), not_testable="nat-unprotected exists since Engine 28.0."),
        Expectation(EngineCondition(iptables=False), not_testable="With iptables=false no rule drops anything."),
        Expectation(PODMAN, not_testable="Podman does not have gateway modes."),
    ),
)
