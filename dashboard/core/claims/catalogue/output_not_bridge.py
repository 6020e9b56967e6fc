"""A rule in OUTPUT does not block requests from a bridge container."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic

LINES = (
    "python3 -m http.server --bind 192.0.2.10 8140  # on another machine",
    "docker run -d --name client --network bridge IMAGE sleep 60",
    "iptables -I OUTPUT -p tcp --dport 8140 -m comment --comment nm-8140 -j DROP",
)

CLAIM = Claim(
    id="output-not-bridge",
    topic=Topic.INTERFERENCE,
    statement="A rule in OUTPUT does not block requests from a bridge container to other machines: they are forwarded.",
    source="iptables(8); Docker documentation, “Packet filtering and firewalls”",
    exact="A firewall that limits outgoing connections in OUTPUT does not limit containers.",
    observe=observe_exchanges(LINES, Ask("client", NEIGHBOUR_ADDRESS, 8140)),
    judge=judge_exchanges(answers(), matched=False),
    lines=(*LINES, "docker exec client wget -O- http://192.0.2.10:8140/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network bridge": "--network host"},
    otherwise=(
        Expectation(
            ROOTLESS_PODMAN,
            not_testable="Without root, pasta sends a container's requests from the machine, so OUTPUT applies.",
        ),
        Expectation(
            EngineCondition(iptables=False),
            not_testable="With iptables=false nothing masquerades, so no response returns.",
        ),
    ),
)
