"""ufw does not block a published port."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers
from dashboard.core.claims.firewalls import judge_firewall, observe_firewall
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web -p 8140:80 IMAGE",
    "ufw deny 8140/tcp",
    "ufw --force enable",
)

CLAIM = Claim(
    id="ufw-published-open",
    topic=Topic.PUBLISHING,
    statement="ufw, enabled and with a rule that denies the port, does not block a published port: other machines "
    "reach it.",
    source="ufw(8); Docker documentation, “Docker and ufw”",
    exact="ufw's rules are in INPUT. Docker's rules come first in FORWARD and accept the packets, although ufw denies "
    "routed packets by default.",
    observe=observe_firewall("dockerd", LINES, "ufw status verbose", Ask(NEIGHBOUR, "{machine}", 8140)),
    judge=judge_firewall(answers()),
    lines=(*LINES, "curl http://{machine}:8140/  # on another machine"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"-p 8140:80": "--network host -e NETMODES_PORT=8140"},
    otherwise=(
        Expectation(
            EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it writes no rules."
        ),
        Expectation(
            PODMAN,
            "ufw blocks a published port: other machines do not reach it.",
            judge_firewall(NO_CONNECTION),
            exact="netavark has its own table of nftables: a packet must be accepted there and by ufw, which denies "
            "routed packets by default. Without root, rootlessport listens: the packets are for the machine itself.",
            mutation={"ufw --force enable": "ufw status"},
        ),
    ),
)
