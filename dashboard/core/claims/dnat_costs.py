"""A published port at the machine's own address costs more than loopback."""

from __future__ import annotations

from dashboard.core.claim import Claim, Judgement, Need, Stage, Timing, Topic, not_testable, proves

HOST = "docker run -d --name one --network host IMAGE sleep 60"
BRIDGE = "docker run -d --name two -p 8130:8080 IMAGE sleep 60"
QUESTION = "two/published-dnat against one/loopback"


async def observe(stage: Stage) -> Timing:
    """Both measured."""
    return await stage.measure(HOST, BRIDGE, QUESTION)


def judge(seen: Timing) -> Judgement:
    """Slower, by an interval that leaves zero out."""
    if seen.verdict == "inconclusive":
        return not_testable(f"The blocks do not decide: {seen.reason}.", seen.said)
    return proves(seen.verdict == "slower", f"It is {seen.verdict}.", seen.said)


CLAIM = Claim(
    id="dnat-costs",
    topic=Topic.PERFORMANCE,
    statement="Host mode is faster than a published port at the machine's own address, where the kernel translates each"
    " packet (DNAT).",
    source="Docker documentation, “Host network driver”: no NAT; docs/measuring.md",
    exact="Typically it is a few microseconds, not “twice as slow”.",
    observe=observe,
    judge=judge,
    lines=(HOST, BRIDGE, f"# {QUESTION}"),
    needs=frozenset({Need.MEASURE}),
    counter={"two/published-dnat against one/loopback": "one/loopback against two/published-dnat"},
)
