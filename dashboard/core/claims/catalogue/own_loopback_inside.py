"""127.0.0.1 in a bridge container is the container itself."""

from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Need, Topic

LINES = (
    "python3 -m http.server --bind 0.0.0.0 8152",
    "docker run -d --name client --network bridge IMAGE sleep 60",
)

CLAIM = Claim(
    id="own-loopback-inside",
    topic=Topic.BRIDGE,
    statement="127.0.0.1 in a bridge container is the container itself: a service of the machine is not reachable "
    "there, even if it listens on all addresses.",
    source="network_namespaces(7)",
    observe=observe_exchanges(LINES, Ask("client", "127.0.0.1", 8152)),
    judge=judge_exchanges(NO_CONNECTION),
    lines=(*LINES, "docker exec client wget -O- http://127.0.0.1:8152/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network bridge": "--network host"},
)
