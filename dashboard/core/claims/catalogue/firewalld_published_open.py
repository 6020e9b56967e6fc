"""firewalld does not block a published port."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import Ask, answers
from dashboard.core.claims.firewalls import judge_firewall, observe_firewall
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web -p 8144:80 IMAGE",
    "firewall-cmd --remove-service=ssh",
    "iptables -I INPUT -p tcp --dport 8144 -m comment --comment nm-8144",
)

CLAIM = Claim(
    id="firewalld-published-open",
    topic=Topic.PUBLISHING,
    statement="firewalld, with a default zone that does not list the port, does not block a published port: other "
    "machines reach it, and none of their packets pass through INPUT.",
    source="firewall-cmd(1); Docker documentation, “Integration with firewalld”",
    exact="The Engine adds its bridges to the zone docker, which accepts everything. The packets are forwarded; the "
    "default zone filters packets for the machine itself.",
    observe=observe_firewall(
        "dockerd", LINES, "firewall-cmd --list-all", Ask(NEIGHBOUR, "{machine}", 8144), setup="firewalld"
    ),
    judge=judge_firewall(answers(), matched=False),
    lines=(*LINES, "curl http://{machine}:8144/  # on another machine"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"-p 8144:80": "--network host -e NETMODES_PORT=8144"},
    otherwise=(
        Expectation(
            EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it writes no rules."
        ),
        Expectation(PODMAN, not_testable="A private host with Podman cannot be started with firewalld."),
    ),
)
