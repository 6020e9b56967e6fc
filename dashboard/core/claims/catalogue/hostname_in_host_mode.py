"""--hostname works in host mode."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network host --hostname mine IMAGE sleep 60"

States = tuple[NamespaceState, NamespaceState]


async def observe(stage: Stage) -> States:
    """Machine and container."""
    one = await stage.run(LINE)
    return await stage.state(MACHINE), await stage.state(one)


def judge(seen: States) -> Judgement:
    """Its own name there, and not here."""
    machine, inside = seen
    evidence = (f"host name in the container: {inside.hostname}", f"host name of the machine: {machine.hostname}")
    proved = inside.hostname == "mine" != machine.hostname
    return proves(proved, "The option had no effect.", *evidence)


CLAIM = Claim(
    id="hostname-in-host-mode",
    topic=Topic.ISOLATION,
    statement="--hostname works in host mode and leaves the machine's name alone.",
    source="docker-run(1), --hostname; uts_namespaces(7)",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={" --hostname mine": ""},
)
