"""-p 127.0.0.1:… keeps a published port on the machine."""

from __future__ import annotations

from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d -p 127.0.0.1:8110:80 IMAGE"

Seen = tuple[Answer, Answer]


async def observe(stage: Stage) -> Seen:
    """At loopback, and at the machine's address on its network."""
    one = await stage.run(LINE)
    await stage.serving(one, 80)
    return await stage.request(MACHINE, "127.0.0.1", 8110), await stage.request(MACHINE, "{machine}", 8110)


def judge(seen: Seen) -> Judgement:
    """Here only."""
    here, outside = seen
    evidence = (f"GET http://127.0.0.1:8110/: {here.said}", f"GET at the machine's own address: {outside.said}")
    if here.status != 200:
        return differs("It does not answer at loopback.", *evidence)
    return proves(not outside.connected, "It answers at the machine's address too.", *evidence)


CLAIM = Claim(
    id="publish-on-loopback",
    topic=Topic.PUBLISHING,
    statement="-p 127.0.0.1:8110:80 publishes on the machine's loopback only.",
    source="Docker documentation, “Port publishing and mapping”",
    exact="Before 28.0 neighbours on the same network could reach such ports by routing to 127.0.0.1.",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE}),
    counter={"-p 127.0.0.1:8110:80": "-p 8110:80"},
)
