"""gw-priority decides which network provides the default route."""

from __future__ import annotations

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Container, Testbed
from dashboard.core.namespaces.state import NamespaceState

LINES = (
    "docker network create zulu",
    "docker network create alpha",
    "docker run -d --network name={zulu},gw-priority=1 --network {alpha} IMAGE sleep 60",
)


Observed = tuple[Container, NamespaceState]


async def observe(testbed: Testbed) -> Observed:
    """The container and its network state."""
    container = (await run_lines(testbed, *LINES))[-1]
    return container, await testbed.state(container)


def judge(observed: Observed) -> Judgement:
    """Holds if the default route goes through the network zulu."""
    container, state = observed
    networks = container.setting("NetworkSettings", "Networks") or {}
    gateways = {name.rpartition("-")[2]: (network or {}).get("Gateway", "") for name, network in networks.items()}
    default = next(
        (route.gateway for route in state.routes if route.destination == "default" and route.family == "inet"), ""
    )
    evidence = (
        *(f"gateway of the network {name}: {gateway}" for name, gateway in gateways.items()),
        f"default route of the container: {default or 'none'}",
    )
    proved = len(gateways) == 2 and default == gateways.get("zulu")
    return holds_if(proved, "The default route goes elsewhere.", *evidence)


CLAIM = Claim(
    id="gateway-priority",
    topic=Topic.BRIDGE,
    statement="With gw-priority the network with the highest priority provides the default route, whatever its name.",
    source="Docker documentation, “Networking overview”: Connecting to multiple networks",
    observe=observe,
    judge=judge,
    lines=(
        *LINES,
        "docker exec ID ip route",
    ),
    mutation={"gw-priority=1": "gw-priority=0"},
    otherwise=(
        Expectation(EngineCondition(before=(28, 0)), not_testable="gw-priority exists since Engine 28.0."),
        Expectation(PODMAN, not_testable="Podman does not have gw-priority."),
    ),
)
