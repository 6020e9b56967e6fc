"""In host mode the host name is copied, not shared."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network host IMAGE sleep 60"

States = tuple[NamespaceState, NamespaceState]


async def observe(stage: Stage) -> States:
    """Machine and container."""
    one = await stage.run(LINE)
    return await stage.state(MACHINE), await stage.state(one)


def judge(seen: States) -> Judgement:
    """The same name in another namespace."""
    machine, inside = seen
    evidence = tuple(
        f"{place}: host name {one.hostname}, uts namespace {one.namespaces.get('uts')}"
        for place, one in (("machine", machine), ("container", inside))
    )
    if machine.namespaces.get("uts") == inside.namespaces.get("uts"):
        return differs("The uts namespace is shared.", *evidence)
    return proves(machine.hostname == inside.hostname, "The container has a name of its own.", *evidence)


CLAIM = Claim(
    id="host-copies-hostname",
    topic=Topic.ISOLATION,
    statement="In host mode the container has the machine's host name: a copy of it, in a uts namespace of its own.",
    source="Moby, daemon/container_operations.go",
    exact="Often said as “the host name is shared”. It is copied at the start: a later change of either is not seen"
    " by the other.",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network host": "--network host --uts host"},
)
