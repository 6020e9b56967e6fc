"""A rule in INPUT blocks a server in host mode."""

from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web --network host -e NETMODES_PORT=8137 IMAGE",
    "iptables -I INPUT -p tcp --dport 8137 -m comment --comment nm-8137 -j DROP",
)

CLAIM = Claim(
    id="input-stops-host-mode",
    topic=Topic.INTERFERENCE,
    statement="A rule in INPUT blocks a server in host mode: its packets are for the machine itself.",
    source="Docker documentation, “Packet filtering and firewalls”; iptables(8)",
    exact="A firewall that denies by default therefore protects host mode, but not published ports.",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "{machine}", 8137)),
    judge=judge_exchanges(NO_CONNECTION, matched=True),
    lines=(*LINES, "curl http://{machine}:8137/  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host -e NETMODES_PORT=8137": "-p 8137:80"},
)
