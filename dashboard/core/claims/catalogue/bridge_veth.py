"""A veth pair connects a bridge container to the default bridge."""

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.extract import find_interface, interface_names
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, differs, holds_if
from dashboard.core.claims.observers import BridgeStates, observe_default_bridge
from dashboard.core.namespaces.links import outer_end

LINE = "docker run -d --network bridge IMAGE sleep 60"


def judge(states: BridgeStates) -> Judgement:
    """Holds if the peer of eth0 is a port of the default bridge."""
    machine, inside, bridge = states
    inner = find_interface(inside, "eth0")
    if inner is None or inner.kind != "veth":
        names = ", ".join(interface_names(inside))
        return differs("The container has no veth.", f"interfaces in the container: {names}")
    outer = outer_end(machine, inside, inner)
    evidence = (
        f"eth0 in the container: index {inner.index}, peer {inner.peer}",
        f"on the machine: {outer.name if outer else 'nothing'}, master {outer.master if outer else 'none'}",
    )
    return holds_if(outer is not None and outer.master == bridge, f"It is not on {bridge}.", *evidence)


CLAIM = Claim(
    id="bridge-veth",
    topic=Topic.BRIDGE,
    statement="A veth pair connects a container to the default bridge: one end is its eth0, the other a port of "
    "docker0.",
    source="veth(4); Docker documentation, “Bridge network driver”",
    observe=observe_default_bridge(LINE),
    judge=judge,
    lines=(LINE, "ip -o link"),
    otherwise=(
        Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),
        Expectation(
            PODMAN,
            statement="A veth pair connects a container to the default bridge: one end is its eth0, the other a port "
            "of podman0.",
            judge=judge,
        ),
    ),
    mutation={"--network bridge": "--network none"},
)
