"""--ctorigdstport matches the published port in DOCKER-USER."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web -p 8135:8136 -e NETMODES_PORT=8136 IMAGE",
    (
        "iptables -I DOCKER-USER -p tcp -m conntrack --ctorigdstport 8135 --ctdir ORIGINAL -m comment "
        "--comment nm-8135 -j DROP"
    ),
)

CLAIM = Claim(
    id="docker-user-original-port",
    topic=Topic.PUBLISHING,
    statement="With -m conntrack --ctorigdstport a rule in DOCKER-USER matches the published port.",
    source="Docker documentation, “Docker with iptables”; iptables(8); iptables-extensions(8), conntrack",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "{machine}", 8135)),
    judge=judge_exchanges(NO_CONNECTION, matched=True),
    lines=(*LINES, "curl http://{machine}:8135/  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--ctorigdstport 8135": "--ctorigdstport 8136"},
    otherwise=(
        Expectation(
            EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it has no DOCKER-USER."
        ),
        Expectation(PODMAN, not_testable="Podman has no DOCKER-USER."),
    ),
)
