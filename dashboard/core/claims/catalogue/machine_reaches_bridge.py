"""The machine reaches a bridge container at its own address."""

from __future__ import annotations

from dashboard.core.claims.model import Answer, Claim, Judgement, Stage, Topic, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network bridge IMAGE"

Seen = tuple[Answer, str, str]


async def observe(stage: Stage) -> Seen:
    """A request to the container's address."""
    one = await stage.run(LINE)
    await stage.serving(one, 80)
    if not one.address:
        return Answer(None, error="it has no address"), "", ""
    return await stage.request(MACHINE, one.address, 80), one.address, one.gateway


def judge(seen: Seen) -> Judgement:
    """An answer; the server sees the bridge."""
    answer, address, gateway = seen
    evidence = f"GET http://{address}/: {answer.said}"
    return proves(answer.status == 200 and answer.client_seen == gateway, "It is not reached that way.", evidence)


CLAIM = Claim(
    id="machine-reaches-bridge",
    topic=Topic.BRIDGE,
    statement="The machine reaches a bridge container at its own address, without -p; the server sees docker0's "
    "address.",
    source="Docker documentation, “Bridge network driver”",
    observe=observe,
    judge=judge,
    lines=(LINE, "curl http://ADDRESS/"),
    counter={"--network bridge": "--network none"},
)
