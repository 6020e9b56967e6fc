"""A bridge container's default route leads through docker0."""

from __future__ import annotations

from dashboard.core.claims.extract import link_of
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
    """The gateway is an address of docker0."""
    machine, inside = seen
    gateways = [one.gateway for one in inside.routes if one.destination == "default" and one.gateway]
    bridge = link_of(machine, "docker0")
    own = [one.address for one in bridge.addresses] if bridge else []
    evidence = (
        f"default route of the container: via {', '.join(gateways) or 'nothing'}",
        f"docker0 has {', '.join(own)}",
    )
    return proves(bool(gateways) and set(gateways) <= set(own), "The way out is another.", *evidence)


CLAIM = Claim(
    id="bridge-gateway",
    topic=Topic.BRIDGE,
    statement="On the default bridge the container's way out is docker0: its address is the default gateway.",
    source="Docker documentation, “Bridge network driver”",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID ip route"),
    counter={"--network bridge": "--network none"},
)
