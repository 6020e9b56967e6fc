"""A round trip to a container's own address takes longer than one over loopback."""

from dashboard.core.claims.judges import judge_slower
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_timing

HOST = "docker run -d --name one --network host IMAGE sleep 60"
BRIDGE = "docker run -d --name two -p 8130:8080 IMAGE sleep 60"
QUESTION = "two/bridge-address against one/loopback"

CLAIM = Claim(
    id="bridge-costs",
    topic=Topic.PERFORMANCE,
    statement="Host mode is faster than bridge mode: a round trip to a bridge container's own address takes longer than"
    " one over loopback.",
    source="Docker documentation, “Host network driver”: performance; docs/measuring.md",
    exact="Often by only a microsecond or two. The cost depends on the path: see the claims about DNAT and "
    "docker-proxy.",
    observe=observe_timing(HOST, BRIDGE, QUESTION),
    judge=judge_slower,
    lines=(HOST, BRIDGE, f"# {QUESTION}"),
    needs=frozenset({Need.MEASURE}),
    mutation={"two/bridge-address against one/loopback": "one/loopback against two/bridge-address"},
)
