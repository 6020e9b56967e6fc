"""A bridge container's default route leads through docker0."""

from __future__ import annotations

from dashboard.core.claims.extract import find_interface
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import States, observe_states

LINE = "docker run -d --network bridge IMAGE sleep 60"


def judge(states: States) -> Judgement:
    """Holds if the gateway is an address of docker0."""
    machine, inside = states
    gateways = [route.gateway for route in inside.routes if route.destination == "default" and route.gateway]
    bridge = find_interface(machine, "docker0")
    own = [address.address for address in bridge.addresses] if bridge else []
    evidence = (
        f"default route of the container: via {', '.join(gateways) or 'nothing'}",
        f"docker0 has {', '.join(own)}",
    )
    return holds_if(bool(gateways) and set(gateways) <= set(own), "The gateway is not docker0.", *evidence)


CLAIM = Claim(
    id="bridge-gateway",
    topic=Topic.BRIDGE,
    statement="On the default bridge, docker0's address is the container's default gateway.",
    source="Docker documentation, “Bridge network driver”",
    observe=observe_states(LINE),
    judge=judge,
    lines=(LINE, "docker exec ID ip route"),
    mutation={"--network bridge": "--network none"},
)
