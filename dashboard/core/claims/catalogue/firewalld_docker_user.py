"""A rule in DOCKER-USER blocks the published port that firewalld leaves open."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask
from dashboard.core.claims.firewalls import judge_firewall, observe_firewall
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web -p 8146:8147 -e NETMODES_PORT=8147 IMAGE",
    "firewall-cmd --remove-service=ssh",
    "iptables -I DOCKER-USER -i eth0 -p tcp --dport 8147 -j DROP",
)

CLAIM = Claim(
    id="firewalld-docker-user",
    topic=Topic.PUBLISHING,
    statement="With firewalld, a rule in DOCKER-USER blocks a published port, which the default zone leaves open.",
    source="firewall-cmd(1); Docker documentation, “Integration with firewalld”",
    exact="firewalld keeps its rules in its own tables: a packet must be accepted there and by the chains of iptables.",
    observe=observe_firewall(
        "dockerd", LINES, "firewall-cmd --list-all", Ask(NEIGHBOUR, "{machine}", 8146), setup="firewalld"
    ),
    judge=judge_firewall(NO_CONNECTION, "-A DOCKER-USER"),
    lines=(*LINES, "curl http://{machine}:8146/  # on another machine"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"-I DOCKER-USER": "-I INPUT"},
    otherwise=(
        Expectation(
            EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it has no DOCKER-USER."
        ),
        Expectation(PODMAN, not_testable="A private host with Podman cannot be started with firewalld."),
    ),
)
