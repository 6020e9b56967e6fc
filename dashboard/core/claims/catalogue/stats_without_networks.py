"""A container in host mode has no network statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves

LINE = "docker run -d --network host IMAGE sleep 60"


async def observe(stage: Stage) -> Mapping[str, Any]:
    """One answer of docker stats."""
    return await stage.stats(await stage.run(LINE))


def judge(seen: Mapping[str, Any]) -> Judgement:
    """No networks in it."""
    networks = seen.get("networks")
    evidence = f"stats, networks: {sorted(networks) if networks else 'absent'}"
    return proves(not networks, "There are network statistics.", evidence)


CLAIM = Claim(
    id="stats-without-networks",
    topic=Topic.LIFECYCLE,
    statement="docker stats has no network figures for a container in host mode.",
    source="Docker Engine API, GET /containers/ID/stats",
    exact="It shows 0 B, which is not a measurement: nothing was counted.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker stats --no-stream ID"),
    counter={"--network host": "--network bridge"},
)
