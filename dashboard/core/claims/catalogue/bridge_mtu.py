"""A container on the default bridge has the bridge's MTU."""

from __future__ import annotations

from dashboard.core.claims.extract import link_of
from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

NETWORK = "docker network create -o com.docker.network.driver.mtu=1400 lab"
LINE = "docker run -d --network bridge IMAGE sleep 60"

States = tuple[NamespaceState, NamespaceState]


async def observe(stage: Stage) -> States:
    """Machine and container, beside a network with another MTU."""
    await stage.network(NETWORK)
    one = await stage.run(LINE)
    return await stage.state(MACHINE), await stage.state(one)


def judge(seen: States) -> Judgement:
    """Equal numbers."""
    outer, inner = link_of(seen[0], "docker0"), link_of(seen[1], "eth0")
    if outer is None or inner is None:
        return differs("There is no docker0, or no eth0.", f"interfaces in the container: {len(seen[1].interfaces)}")
    evidence = f"MTU of docker0: {outer.mtu}, of eth0 in the container: {inner.mtu}"
    return proves(outer.mtu == inner.mtu, "They differ.", evidence)


CLAIM = Claim(
    id="bridge-mtu",
    topic=Topic.BRIDGE,
    statement="A container on the default bridge has docker0's MTU, whatever the MTU of the machine's way out is.",
    source="Docker documentation, “Bridge network driver”, com.docker.network.driver.mtu; dockerd(8), --mtu",
    exact="Where the machine's link carries less (VPN, cloud), large packets vanish until the MTU is set by hand. "
    "In host mode there is nothing to set.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID ip link show eth0"),
    counter={"--network bridge": "--network {lab}"},
)
