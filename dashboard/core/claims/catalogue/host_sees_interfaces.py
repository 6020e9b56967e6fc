"""Host mode sees every interface of the machine, bridges and other containers' veth included."""

from __future__ import annotations

from dashboard.core.claims.extract import names_of
from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

FIRST = "docker run -d --network bridge IMAGE sleep 60"
LINE = "docker run -d --network host IMAGE sleep 60"

States = tuple[NamespaceState, NamespaceState]


async def observe(stage: Stage) -> States:
    """A neighbour in bridge mode, then the container in host mode; machine and container observed."""
    await stage.run(FIRST)
    one = await stage.run(LINE)
    return await stage.state(MACHINE), await stage.state(one)


def judge(seen: States) -> Judgement:
    """It sees bridges and veth ends."""
    machine, inside = seen
    kinds = {one.kind for one in inside.interfaces}
    evidence = (
        f"interfaces of the machine: {', '.join(names_of(machine))}",
        f"interfaces in the container: {', '.join(names_of(inside))}",
    )
    return proves({"bridge", "veth"} <= kinds, "The container does not see the machine's interfaces.", *evidence)


CLAIM = Claim(
    id="host-sees-interfaces",
    topic=Topic.ISOLATION,
    statement="A container in host mode sees the machine's interfaces: docker0, every br-* and the veth ends of all "
    "other containers.",
    source="Docker documentation, “Networking using the host network”: examine all network interfaces",
    observe=observe,
    judge=judge,
    lines=(FIRST, LINE),
    counter={"--network host": "--network none"},
)
