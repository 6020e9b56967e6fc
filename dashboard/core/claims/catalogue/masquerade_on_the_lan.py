"""Another machine sees the machine's address, not the container's."""

from dashboard.core.claims.engine_facts import EngineCondition
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic

LINES = (
    "python3 -m http.server --bind 192.0.2.10 8148  # on another machine",
    "docker network create lab",
    "docker run -d --name client --network {lab} IMAGE sleep 60",
)

CLAIM = Claim(
    id="masquerade-on-the-lan",
    topic=Topic.BRIDGE,
    statement="A server on another machine sees the machine's address as the client of a bridge container.",
    source="Docker documentation, “Port publishing and mapping”; iptables-extensions(8), MASQUERADE",
    observe=observe_exchanges(LINES, Ask("client", NEIGHBOUR_ADDRESS, 8148)),
    judge=judge_exchanges(answers("192.0.2.2")),
    lines=(*LINES, "docker exec client wget -O- http://192.0.2.10:8148/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={
        "docker network create lab": "docker network create -o com.docker.network.bridge.enable_ip_masquerade=false lab"
    },
    otherwise=(
        Expectation(
            EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it writes no rules."
        ),
        Expectation(
            EngineCondition(gateway_mode="routed"),
            not_testable="A routed network keeps the container's address, to which the LAN has no route.",
        ),
    ),
)
