"""Containers find each other by name on a user-defined network."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.namespaces.state import Lookup

NETWORK = "docker network create lab"
FIRST = "docker run -d --name web --network {lab} IMAGE sleep 60"
SECOND = "docker run -d --network {lab} IMAGE sleep 60"

Seen = tuple[Lookup, str]


async def observe(stage: Stage) -> Seen:
    """The second looks the first one up."""
    await stage.network(NETWORK)
    web = await stage.run(FIRST)
    return await stage.look_up(await stage.run(SECOND), "{web}"), web.address


def judge(seen: Seen) -> Judgement:
    """The address that the Engine gave."""
    found, address = seen
    evidence = (
        f"lookup of the name: {found.outcome} {', '.join(found.answers)} (asked {found.server}); it has {address}"
    )
    return proves(address in found.answers, "The name is not found.", evidence)


CLAIM = Claim(
    id="names-on-user-network",
    topic=Topic.DNS,
    statement="On a user-defined network containers find each other by name.",
    source="Docker documentation, “Bridge network driver”, differences between user-defined bridges and the default "
    "one",
    observe=observe,
    judge=judge,
    lines=(NETWORK, FIRST, SECOND, "docker exec ID nslookup web"),
    counter={"--network {lab}": "--network bridge"},
)
