"""DNAT costs something on top of the bridge."""

from __future__ import annotations

from dashboard.core.claims.judges import judge_slower
from dashboard.core.claims.model import Claim, Need, Stage, Timing, Topic

HOST = "docker run -d --name one --network host IMAGE sleep 60"
BRIDGE = "docker run -d --name two -p 8130:8080 IMAGE sleep 60"
QUESTION = "two/published-proxy against two/bridge-address"


async def observe(stage: Stage) -> Timing:
    """Both measured."""
    return await stage.measure(HOST, BRIDGE, QUESTION)


CLAIM = Claim(
    id="proxy-costs",
    topic=Topic.PERFORMANCE,
    statement="Asking localhost at a published port is slower than asking the container's own address.",
    source="docs/measuring.md; Moby, cmd/docker-proxy",
    observe=observe,
    judge=judge_slower,
    lines=(HOST, BRIDGE, f"# {QUESTION}"),
    needs=frozenset({Need.MEASURE}),
    counter={"two/published-proxy against two/bridge-address": "two/bridge-address against two/published-proxy"},
)
