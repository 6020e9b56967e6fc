"""A rule in OUTPUT blocks requests from a container in host mode."""

from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, NO_CONNECTION, Ask, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Need, Topic

LINES = (
    "python3 -m http.server --bind 192.0.2.10 8139  # on another machine",
    "docker run -d --name client --network host IMAGE sleep 60",
    "iptables -I OUTPUT -p tcp --dport 8139 -m comment --comment nm-8139 -j DROP",
)

CLAIM = Claim(
    id="output-stops-host-mode",
    topic=Topic.INTERFERENCE,
    statement="A rule in OUTPUT blocks requests from a container in host mode to other machines, as it does for "
    "every program on the machine.",
    source="iptables(8); network_namespaces(7)",
    observe=observe_exchanges(LINES, Ask("client", NEIGHBOUR_ADDRESS, 8139)),
    judge=judge_exchanges(NO_CONNECTION, matched=True),
    lines=(*LINES, "docker exec client wget -O- http://192.0.2.10:8139/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network bridge"},
)
