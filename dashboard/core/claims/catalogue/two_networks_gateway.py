"""The network with the first name provides the default route."""

from __future__ import annotations

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Container, Testbed
from dashboard.core.namespaces.state import NamespaceState

LINES = (
    "docker network create zulu",
    "docker network create alpha",
    "docker run -d --network {zulu} --network {alpha} IMAGE sleep 60",
)


Observed = tuple[Container, NamespaceState]


async def observe(testbed: Testbed) -> Observed:
    """The container and its network state."""
    container = (await run_lines(testbed, *LINES))[-1]
    return container, await testbed.state(container)


def judge(observed: Observed) -> Judgement:
    """Holds if the default route goes through the network alpha."""
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
    proved = len(gateways) == 2 and default == gateways.get("alpha")
    return holds_if(proved, "The default route goes elsewhere.", *evidence)


CLAIM = Claim(
    id="two-networks-gateway",
    topic=Topic.BRIDGE,
    statement="For a container on two networks, the network with the alphabetically first name provides the default "
    "route, in whichever order they are listed.",
    source="Docker documentation, “Networking overview”: Connecting to multiple networks; Moby, libnetwork/sandbox.go",
    exact="Since Engine 28.0 gw-priority decides, and the name only if priorities are equal.",
    observe=observe,
    judge=judge,
    lines=(
        *LINES,
        "docker exec ID ip route",
    ),
    mutation={" --network {alpha}": ""},
    otherwise=(
        Expectation(
            EngineCondition(before_api=(1, 44)), not_testable="Before API 1.44 a container is created with one network."
        ),
        Expectation(PODMAN, not_testable="Podman sets a default route for each network."),
    ),
)
