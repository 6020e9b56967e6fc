"""A container in host mode has no network statistics."""

from collections.abc import Mapping
from typing import Any

from dashboard.core.claims.extract import describe_list
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.testbed import Testbed

LINE = "docker run -d --network host IMAGE sleep 60"


async def observe(testbed: Testbed) -> Mapping[str, Any]:
    """One response of docker stats."""
    return await testbed.stats(await testbed.run(LINE))


def judge(stats: Mapping[str, Any]) -> Judgement:
    """Holds if it has no networks."""
    networks = stats.get("networks")
    evidence = f"networks in the statistics: {describe_list(sorted(networks or ()))}"
    return holds_if(not networks, "There are network statistics.", evidence)


CLAIM = Claim(
    id="stats-without-networks",
    topic=Topic.LIFECYCLE,
    statement="docker stats has no network figures for a container in host mode.",
    source="Docker Engine API, GET /containers/ID/stats",
    exact="It shows 0 B, which is not a measurement: nothing was counted.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker stats --no-stream ID"),
    mutation={"--network host": "--network bridge"},
)
