"""The MTU of a network is an option of the network."""

from __future__ import annotations

from dashboard.core.claims.extract import link_of
from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.namespaces.state import NamespaceState

NETWORK = "docker network create -o com.docker.network.driver.mtu=1400 lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"


async def observe(stage: Stage) -> NamespaceState:
    """The container."""
    await stage.network(NETWORK)
    return await stage.state(await stage.run(LINE))


def judge(seen: NamespaceState) -> Judgement:
    """What was asked for."""
    inner = link_of(seen, "eth0")
    evidence = f"MTU of eth0 in the container: {inner.mtu if inner else 'no eth0'}"
    return proves(inner is not None and inner.mtu == 1400, "It is another.", evidence)


CLAIM = Claim(
    id="network-mtu",
    topic=Topic.BRIDGE,
    statement="On a user-defined bridge the MTU is an option of the network and reaches every container on it.",
    source="Docker documentation, “Bridge network driver”, com.docker.network.driver.mtu",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE),
    counter={" -o com.docker.network.driver.mtu=1400": ""},
)
