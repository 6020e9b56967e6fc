"""A container's default route on the default bridge leads through that bridge."""

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.extract import find_interface
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, holds_if
from dashboard.core.claims.observers import BridgeStates, observe_default_bridge

LINE = "docker run -d --network bridge IMAGE sleep 60"


def judge(states: BridgeStates) -> Judgement:
    """Holds if the gateway is an address of the default bridge."""
    machine, inside, name = states
    gateways = [route.gateway for route in inside.routes if route.destination == "default" and route.gateway]
    bridge = find_interface(machine, name)
    own = [address.address for address in bridge.addresses] if bridge else []
    evidence = (
        f"default route of the container: via {', '.join(gateways) or 'nothing'}",
        f"{name} has {', '.join(own)}",
    )
    return holds_if(bool(gateways) and set(gateways) <= set(own), f"The gateway is not {name}.", *evidence)


CLAIM = Claim(
    id="bridge-gateway",
    topic=Topic.BRIDGE,
    statement="On the default bridge, docker0's address is the container's default gateway.",
    source="Docker documentation, “Bridge network driver”",
    observe=observe_default_bridge(LINE),
    judge=judge,
    lines=(LINE, "docker exec ID ip route"),
    otherwise=(
        Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),
        Expectation(
            PODMAN,
            statement="On the default bridge, podman0's address is the container's default gateway.",
            judge=judge,
        ),
    ),
    mutation={"--network bridge": "--network none"},
)
