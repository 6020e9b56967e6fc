"""DNAT costs something on top of the bridge."""

from __future__ import annotations

from dashboard.core.claim import Claim, Judgement, Need, Stage, Timing, Topic, not_testable, proves

HOST = "docker run -d --name one --network host IMAGE sleep 60"
BRIDGE = "docker run -d --name two -p 8130:8080 IMAGE sleep 60"
QUESTION = "two/published-proxy against two/bridge-address"


async def observe(stage: Stage) -> Timing:
    """Both measured."""
    return await stage.measure(HOST, BRIDGE, QUESTION)


def judge(seen: Timing) -> Judgement:
    """Slower, by an interval that leaves zero out."""
    if seen.verdict == "inconclusive":
        return not_testable(f"The blocks do not decide: {seen.reason}.", seen.said)
    return proves(seen.verdict == "slower", f"It is {seen.verdict}.", seen.said)


CLAIM = Claim(
    id="proxy-costs",
    topic=Topic.PERFORMANCE,
    statement="Asking localhost at a published port is slower than asking the container's own address.",
    source="docs/measuring.md; Moby, cmd/docker-proxy",
    observe=observe,
    judge=judge,
    lines=(HOST, BRIDGE, f"# {QUESTION}"),
    needs=frozenset({Need.MEASURE}),
    counter={"two/published-proxy against two/bridge-address": "two/bridge-address against two/published-proxy"},
)
