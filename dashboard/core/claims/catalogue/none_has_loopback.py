"""none has loopback and nothing else."""

from __future__ import annotations

from dashboard.core.claims.extract import names_of
from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network none IMAGE sleep 60"


async def observe(stage: Stage) -> NamespaceState:
    """The container."""
    return await stage.state(await stage.run(LINE))


def judge(seen: NamespaceState) -> Judgement:
    """One interface, no route."""
    routes = [one for one in seen.routes if one.destination == "default"]
    evidence = (f"interfaces: {', '.join(names_of(seen))}", f"default routes: {len(routes)}")
    return proves(names_of(seen) == ("lo",) and not routes, "There is more than loopback.", *evidence)


CLAIM = Claim(
    id="none-has-loopback",
    topic=Topic.BRIDGE,
    statement="With --network none the container has loopback and nothing else.",
    source="Docker documentation, “None network driver”",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID ip link"),
    counter={"--network none": "--network bridge"},
)
