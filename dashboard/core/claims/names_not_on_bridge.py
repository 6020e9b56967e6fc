"""On the default bridge names of containers are not found."""

from __future__ import annotations

from dashboard.core.claim import Claim, Judgement, Need, Stage, Topic, proves
from dashboard.core.state import Lookup

NETWORK = "docker network create lab"
FIRST = "docker run -d --name web --network bridge IMAGE sleep 60"
SECOND = "docker run -d --network bridge IMAGE sleep 60"


async def observe(stage: Stage) -> Lookup:
    """The second looks the first one up."""
    await stage.network(NETWORK)
    await stage.run(FIRST)
    return await stage.look_up(await stage.run(SECOND), "{web}")


def judge(seen: Lookup) -> Judgement:
    """No answer of any kind."""
    evidence = f"lookup of the name: {seen.outcome} {', '.join(seen.answers)} (asked {seen.server or 'nobody'})"
    return proves(not seen.answers, "The name is found.", evidence)


CLAIM = Claim(
    id="names-not-on-bridge",
    topic=Topic.DNS,
    statement="On the default bridge containers do not find each other by name.",
    source="Docker documentation, “Bridge network driver”",
    exact="The old --link writes the name into the hosts file; a user-defined network is the remedy.",
    observe=observe,
    judge=judge,
    lines=(FIRST, SECOND, "docker exec ID nslookup web"),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network bridge": "--network {lab}"},
)
