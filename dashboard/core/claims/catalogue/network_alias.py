"""--network-alias is one more name on a user-defined network."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.namespaces.state import Lookup

NETWORK = "docker network create lab"
FIRST = "docker run -d --name web --network {lab} --network-alias shop IMAGE sleep 60"
SECOND = "docker run -d --network {lab} IMAGE sleep 60"

Seen = tuple[Lookup, str]


async def observe(stage: Stage) -> Seen:
    """The second looks the alias up."""
    await stage.network(NETWORK)
    web = await stage.run(FIRST)
    return await stage.look_up(await stage.run(SECOND), "shop"), web.address


def judge(seen: Seen) -> Judgement:
    """The address that the Engine gave."""
    found, address = seen
    evidence = f"lookup of shop: {found.outcome} {', '.join(found.answers)} (asked {found.server}); it has {address}"
    return proves(address in found.answers, "The alias is not found.", evidence)


CLAIM = Claim(
    id="network-alias",
    topic=Topic.DNS,
    statement="--network-alias gives a container one more name on a user-defined network.",
    source="docker-run(1), --network-alias",
    observe=observe,
    judge=judge,
    lines=(NETWORK, FIRST, SECOND),
    counter={" --network-alias shop": ""},
)
