"""DOCKER-USER sees the container's port, not the published one."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web -p 8133:8134 -e NETMODES_PORT=8134 IMAGE",
    "iptables -I DOCKER-USER -p tcp --dport 8133 -m comment --comment nm-8133 -j DROP",
)

CLAIM = Claim(
    id="docker-user-sees-container-port",
    topic=Topic.PUBLISHING,
    statement="A rule in DOCKER-USER for the published port matches nothing: packets there already have the "
    "container's port.",
    source="Docker documentation, “Docker with iptables”; iptables(8)",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "{machine}", 8133)),
    judge=judge_exchanges(answers(), matched=False),
    lines=(*LINES, "curl http://{machine}:8133/  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--dport 8133": "--dport 8134"},
    otherwise=(
        Expectation(
            EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it has no DOCKER-USER."
        ),
        Expectation(PODMAN, not_testable="Podman has no DOCKER-USER."),
    ),
)
