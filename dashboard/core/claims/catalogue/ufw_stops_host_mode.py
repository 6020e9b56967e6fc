"""ufw blocks host mode."""

from dashboard.core.claims.exchanges import NO_CONNECTION, Ask
from dashboard.core.claims.firewalls import judge_firewall, observe_firewall
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web --network host -e NETMODES_PORT=8143 IMAGE",
    "ufw deny 8143/tcp",
    "ufw --force enable",
)

CLAIM = Claim(
    id="ufw-stops-host-mode",
    topic=Topic.PUBLISHING,
    statement="ufw blocks a port of a container in host mode.",
    source="ufw(8); Docker documentation, “Networking using the host network”",
    exact="The packets are for the machine itself and pass through INPUT, where ufw's rules are.",
    observe=observe_firewall("dockerd", LINES, "ufw status verbose", Ask(NEIGHBOUR, "{machine}", 8143)),
    judge=judge_firewall(NO_CONNECTION, "-A ufw-user-input"),
    lines=(*LINES, "curl http://{machine}:8143/  # on another machine"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"--network host -e NETMODES_PORT=8143": "-p 8143:80"},
)
