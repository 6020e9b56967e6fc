"""In bridge mode the container has a network stack of its own."""

from __future__ import annotations

from dashboard.core.claims.extract import names_of
from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network bridge IMAGE sleep 60"

States = tuple[NamespaceState, NamespaceState]


async def observe(stage: Stage) -> States:
    """Machine and container."""
    one = await stage.run(LINE)
    return await stage.state(MACHINE), await stage.state(one)


def judge(seen: States) -> Judgement:
    """Another inode, loopback and eth0."""
    machine, inside = seen
    evidence = (
        f"net namespaces: machine {machine.netns}, container {inside.netns}",
        f"interfaces in the container: {', '.join(names_of(inside))}",
    )
    proved = machine.netns != inside.netns and names_of(inside) == ("lo", "eth0")
    return proves(proved, "It has not a stack of its own with lo and eth0.", *evidence)


CLAIM = Claim(
    id="bridge-own-stack",
    topic=Topic.BRIDGE,
    statement="In bridge mode the container has a network namespace of its own, with lo and eth0.",
    source="Docker documentation, “Bridge network driver”; network_namespaces(7)",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network bridge": "--network host"},
)
