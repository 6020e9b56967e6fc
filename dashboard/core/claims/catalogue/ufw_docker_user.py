"""A rule in DOCKER-USER blocks the published port that ufw leaves open."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask
from dashboard.core.claims.firewalls import judge_firewall, observe_firewall
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web -p 8141:8142 -e NETMODES_PORT=8142 IMAGE",
    "ufw deny 8141/tcp",
    "ufw --force enable",
    "iptables -I DOCKER-USER -i eth0 -p tcp --dport 8142 -j DROP",
)

CLAIM = Claim(
    id="ufw-docker-user",
    topic=Topic.PUBLISHING,
    statement="With ufw enabled, a rule in DOCKER-USER blocks a published port, which ufw leaves open.",
    source="ufw(8); Docker documentation, “Docker with iptables”",
    exact="ufw and Docker have separate chains; DOCKER-USER is the first one in FORWARD.",
    observe=observe_firewall("dockerd", LINES, "ufw status verbose", Ask(NEIGHBOUR, "{machine}", 8141)),
    judge=judge_firewall(NO_CONNECTION, "-A DOCKER-USER"),
    lines=(*LINES, "curl http://{machine}:8141/  # on another machine"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"-I DOCKER-USER": "-I INPUT"},
    otherwise=(
        Expectation(
            EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it has no DOCKER-USER."
        ),
        Expectation(PODMAN, not_testable="Podman has no DOCKER-USER."),
    ),
)
