"""In host mode names of containers are not found."""

from __future__ import annotations

from dashboard.core.claims.judges import judge_not_found
from dashboard.core.claims.model import Claim, Need, Stage, Topic
from dashboard.core.namespaces.state import Lookup

NETWORK = "docker network create lab"
FIRST = "docker run -d --name web --network {lab} IMAGE sleep 60"
SECOND = "docker run -d --network host IMAGE sleep 60"


async def observe(stage: Stage) -> Lookup:
    """The second looks the first one up."""
    await stage.network(NETWORK)
    await stage.run(FIRST)
    return await stage.look_up(await stage.run(SECOND), "{web}")


CLAIM = Claim(
    id="names-not-in-host-mode",
    topic=Topic.DNS,
    statement="A container in host mode finds no container by name, also none on a user-defined network.",
    source="Docker documentation, “Host network driver”",
    exact="It is on no Docker network: use the other container's address or its published port.",
    observe=observe,
    judge=judge_not_found,
    lines=(NETWORK, FIRST, SECOND),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network host": "--network {lab}"},
)
