"""A rule in INPUT does not block a published port."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, EngineCondition
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web -p 8130:80 IMAGE",
    "iptables -I INPUT -p tcp --dport 8130 -m comment --comment nm-8130 -j DROP",
)

CLAIM = Claim(
    id="input-not-published",
    topic=Topic.PUBLISHING,
    statement="A rule in INPUT, such as ufw and most firewalls add, does not block a published port: other machines "
    "reach it, and the rule matches no packet.",
    source="Docker documentation, “Docker with iptables”; iptables(8)",
    exact="The packets are translated (DNAT) before the kernel decides between INPUT and FORWARD. Put such "
    "rules into DOCKER-USER.",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "{machine}", 8130)),
    judge=judge_exchanges(answers(), matched=False),
    lines=(*LINES, "curl http://{machine}:8130/  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-p 8130:80": "--network host -e NETMODES_PORT=8130"},
    otherwise=(
        Expectation(
            ROOTLESS_PODMAN, not_testable="Without root, rootlessport listens on the machine, so INPUT applies."
        ),
        Expectation(
            EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it writes no rules."
        ),
    ),
)
