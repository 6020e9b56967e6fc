"""A bridge container hangs on docker0 by a veth pair."""

from __future__ import annotations

from dashboard.core.claims.extract import link_of, names_of
from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network bridge IMAGE sleep 60"

States = tuple[NamespaceState, NamespaceState]


async def observe(stage: Stage) -> States:
    """Machine and container."""
    one = await stage.run(LINE)
    return await stage.state(MACHINE), await stage.state(one)


def judge(seen: States) -> Judgement:
    """The other end of eth0 is a port of docker0."""
    machine, inside = seen
    inner = link_of(inside, "eth0")
    if inner is None or inner.kind != "veth":
        return differs("The container has no veth.", f"interfaces in the container: {', '.join(names_of(inside))}")
    outer = next((one for one in machine.interfaces if one.kind == "veth" and one.peer == f"if{inner.index}"), None)
    evidence = (
        f"eth0 in the container: index {inner.index}, peer {inner.peer}",
        f"on the machine: {outer.name if outer else 'nothing'}, master {outer.master if outer else 'none'}",
    )
    return proves(outer is not None and outer.master == "docker0", "It is not on docker0.", *evidence)


CLAIM = Claim(
    id="bridge-veth",
    topic=Topic.BRIDGE,
    statement="A container on the default bridge hangs on docker0 by a veth pair: one end is its eth0, the other a port"
    " of the bridge.",
    source="veth(4); Docker documentation, “Bridge network driver”",
    observe=observe,
    judge=judge,
    lines=(LINE, "ip -o link"),
    counter={"--network bridge": "--network none"},
)
