"""Containers that share a namespace report the same counters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.modes import MACHINE

FIRST = "docker run -d --name owner IMAGE"
LINE = "docker run -d --network container:{owner} IMAGE sleep 60"
TRIES = 10

Seen = tuple[Mapping[str, Any], Mapping[str, Any]]


async def observe(stage: Stage) -> Seen:
    """The figures of both after some traffic; read again if they moved in between."""
    owner = await stage.run(FIRST)
    guest = await stage.run(LINE)
    await stage.serving(owner, 80)
    await stage.request(MACHINE, owner.address, 80)
    one: Mapping[str, Any] = {}
    two: Mapping[str, Any] = {}
    for _ in range(TRIES):
        one = (await stage.stats(owner)).get("networks") or {}
        two = (await stage.stats(guest)).get("networks") or {}
        if one == two:
            break
    return one, two


def judge(seen: Seen) -> Judgement:
    """The same bytes."""
    owner, guest = seen
    said = [
        f"{name}: {one.get('eth0', {}).get('rx_bytes')} bytes received"
        for name, one in (("owner", owner), ("guest", guest))
    ]
    return proves(bool(owner) and owner == guest, "They count apart.", *said)


CLAIM = Claim(
    id="stats-counted-twice",
    topic=Topic.LIFECYCLE,
    statement="Containers that share a network namespace report the same counters: adding them up counts every byte "
    "twice.",
    source="Docker Engine API, GET /containers/ID/stats",
    observe=observe,
    judge=judge,
    lines=(FIRST, LINE, "docker stats --no-stream"),
    counter={"--network container:{owner}": "--network bridge"},
)
