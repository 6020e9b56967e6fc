"""A rule in DOCKER-USER blocks a published port."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web -p 8131:8132 -e NETMODES_PORT=8132 IMAGE",
    "iptables -I DOCKER-USER -p tcp --dport 8132 -m comment --comment nm-8131 -j DROP",
)

CLAIM = Claim(
    id="docker-user-stops-published",
    topic=Topic.PUBLISHING,
    statement="A rule in DOCKER-USER blocks a published port for other machines.",
    source="Docker documentation, “Docker with iptables”; iptables(8)",
    exact="The rule must name the container's port, because the packets are already translated.",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "{machine}", 8131)),
    judge=judge_exchanges(NO_CONNECTION, matched=True),
    lines=(*LINES, "curl http://{machine}:8131/  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-I DOCKER-USER": "-I INPUT"},
    otherwise=(
        Expectation(
            EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it has no DOCKER-USER."
        ),
        Expectation(PODMAN, not_testable="Podman has no DOCKER-USER."),
    ),
)
