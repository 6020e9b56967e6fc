"""DOCKER-USER does not apply to host mode."""

from dashboard.core.claims.engine_facts import FIREWALLD, FIREWALLD_ZONE, PODMAN, EngineCondition
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web --network host -e NETMODES_PORT=8138 IMAGE",
    "iptables -I DOCKER-USER -p tcp --dport 8138 -m comment --comment nm-8138 -j DROP",
)

CLAIM = Claim(
    id="docker-user-not-host-mode",
    topic=Topic.INTERFERENCE,
    statement="A rule in DOCKER-USER does not block a server in host mode: its packets do not pass through FORWARD.",
    source="Docker documentation, “Docker with iptables”; iptables(8)",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "{machine}", 8138)),
    judge=judge_exchanges(answers(), matched=False),
    lines=(*LINES, "curl http://{machine}:8138/  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-I DOCKER-USER": "-I INPUT"},
    otherwise=(
        Expectation(FIREWALLD, not_testable=FIREWALLD_ZONE),
        Expectation(
            EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it has no DOCKER-USER."
        ),
        Expectation(PODMAN, not_testable="Podman has no DOCKER-USER."),
    ),
)
