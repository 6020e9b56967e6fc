"""A container's own address costs more than loopback."""

from __future__ import annotations

from dashboard.core.claims.judges import judge_slower
from dashboard.core.claims.model import Claim, Need, Stage, Timing, Topic

HOST = "docker run -d --name one --network host IMAGE sleep 60"
BRIDGE = "docker run -d --name two -p 8130:8080 IMAGE sleep 60"
QUESTION = "two/bridge-address against one/loopback"


async def observe(stage: Stage) -> Timing:
    """Both measured."""
    return await stage.measure(HOST, BRIDGE, QUESTION)


CLAIM = Claim(
    id="bridge-costs",
    topic=Topic.PERFORMANCE,
    statement="Host mode is faster than bridge mode: a round trip to a bridge container's own address takes longer than"
    " one over loopback.",
    source="Docker documentation, “Host network driver”: performance; docs/measuring.md",
    exact="Often by a microsecond or two only. How much depends on the path: see the claims about DNAT and "
    "docker-proxy.",
    observe=observe,
    judge=judge_slower,
    lines=(HOST, BRIDGE, f"# {QUESTION}"),
    needs=frozenset({Need.MEASURE}),
    counter={"two/bridge-address against one/loopback": "one/loopback against two/bridge-address"},
)
