"""A rule in INPUT blocks requests from containers to ports published on their own machine."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web -p 8143:80 IMAGE",
    "docker run -d --name client IMAGE sleep 60",
    "iptables -I INPUT -p tcp --dport 8143 -m comment --comment nm-8143 -j DROP",
)

CLAIM = Claim(
    id="hairpin-needs-input",
    topic=Topic.PUBLISHING,
    statement="A container reaches a port published on its own machine through docker-proxy, so a rule in INPUT "
    "blocks it, although other machines reach the port.",
    source="Moby, cmd/docker-proxy; iptables(8)",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "{machine}", 8143), Ask("client", "{machine}", 8143)),
    judge=judge_exchanges(answers(), NO_CONNECTION, matched=True),
    lines=(
        *LINES,
        "curl http://{machine}:8143/  # on another machine",
        "docker exec client wget -O- http://{machine}:8143/",
    ),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-I INPUT": "-I OUTPUT"},
    otherwise=(
        Expectation(
            EngineCondition(userland_proxy=False),
            not_testable="Without docker-proxy the kernel translates these requests too.",
        ),
        Expectation(
            EngineCondition(iptables=False), not_testable="With iptables=false docker-proxy serves every request."
        ),
        Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
    ),
)
