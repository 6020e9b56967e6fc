"""On the default bridge names of containers are not found."""

from __future__ import annotations

from dashboard.core.claims.judges import judge_not_found
from dashboard.core.claims.model import Claim, Need, Stage, Topic
from dashboard.core.namespaces.state import Lookup

NETWORK = "docker network create lab"
FIRST = "docker run -d --name web --network bridge IMAGE sleep 60"
SECOND = "docker run -d --network bridge IMAGE sleep 60"


async def observe(stage: Stage) -> Lookup:
    """The second looks the first one up."""
    await stage.network(NETWORK)
    await stage.run(FIRST)
    return await stage.look_up(await stage.run(SECOND), "{web}")


CLAIM = Claim(
    id="names-not-on-bridge",
    topic=Topic.DNS,
    statement="On the default bridge containers do not find each other by name.",
    source="Docker documentation, “Bridge network driver”",
    exact="The old --link writes the name into the hosts file; a user-defined network is the remedy.",
    observe=observe,
    judge=judge_not_found,
    lines=(FIRST, SECOND, "docker exec ID nslookup web"),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network bridge": "--network {lab}"},
)
