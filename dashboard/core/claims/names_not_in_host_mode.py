"""In host mode names of containers are not found."""

from __future__ import annotations

from dashboard.core.claim import Claim, Judgement, Need, Stage, Topic, proves
from dashboard.core.state import Lookup

NETWORK = "docker network create lab"
FIRST = "docker run -d --name web --network {lab} IMAGE sleep 60"
SECOND = "docker run -d --network host IMAGE sleep 60"


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
    id="names-not-in-host-mode",
    topic=Topic.DNS,
    statement="A container in host mode finds no container by name, also none on a user-defined network.",
    source="Docker documentation, “Host network driver”",
    exact="It is on no Docker network: use the other container's address or its published port.",
    observe=observe,
    judge=judge,
    lines=(NETWORK, FIRST, SECOND),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network host": "--network {lab}"},
)
