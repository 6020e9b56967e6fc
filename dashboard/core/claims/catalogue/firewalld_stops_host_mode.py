"""firewalld blocks host mode."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask
from dashboard.core.claims.firewalls import judge_firewall, observe_firewall
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web --network host -e NETMODES_PORT=8145 IMAGE",
    "firewall-cmd --remove-service=ssh",
    "iptables -I INPUT -p tcp --dport 8145 -m comment --comment nm-8145",
)

CLAIM = Claim(
    id="firewalld-stops-host-mode",
    topic=Topic.PUBLISHING,
    statement="firewalld, with a default zone that does not list the port, blocks the port of a container in host "
    "mode: the packets pass through INPUT.",
    source="firewall-cmd(1); Docker documentation, “Integration with firewalld”",
    exact="firewall-cmd --add-port opens it, as for any program on the machine. The rules of firewalld have no "
    "counters, so this claim inserts a rule into INPUT that only counts.",
    observe=observe_firewall(
        "dockerd", LINES, "firewall-cmd --list-all", Ask(NEIGHBOUR, "{machine}", 8145), setup="firewalld"
    ),
    judge=judge_firewall(NO_CONNECTION, matched=True),
    lines=(*LINES, "curl http://{machine}:8145/  # on another machine"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"--network host -e NETMODES_PORT=8145": "-p 8145:80"},
    otherwise=(Expectation(PODMAN, not_testable="A private host with Podman cannot be started with firewalld."),),
)
