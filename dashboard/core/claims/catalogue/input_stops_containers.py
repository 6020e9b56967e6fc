"""A rule in INPUT blocks requests from containers to their machine."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic

LINES = (
    "python3 -m http.server --bind 0.0.0.0 8142",
    "docker run -d --name client IMAGE sleep 60",
    "iptables -I INPUT -p tcp --dport 8142 -m comment --comment nm-8142 -j DROP",
)

CLAIM = Claim(
    id="input-stops-containers",
    topic=Topic.BRIDGE,
    statement="A rule in INPUT also applies to containers that use a service of their own machine: a firewall "
    "that denies by default makes host.docker.internal time out.",
    source="iptables(8); Docker documentation, “Packet filtering and firewalls”",
    exact="Allow the bridges: iptables -I INPUT -i docker0 -j ACCEPT, or ufw allow in on docker0.",
    observe=observe_exchanges(LINES, Ask("client", "client.gateway", 8142)),
    judge=judge_exchanges(NO_CONNECTION, matched=True),
    lines=(*LINES, "docker exec client wget -O- http://GATEWAY:8142/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-I INPUT": "-I FORWARD"},
    otherwise=(Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),),
)
