"""Claims about how a container is connected to the default bridge: its gateway, MTU and veth pair."""

from collections.abc import Callable, Mapping

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.extract import find_interface, interface_names
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, differs, holds_if
from dashboard.core.claims.observers import BridgeStates, observe_default_bridge
from dashboard.core.namespaces.links import outer_end

NETWORK = "docker network create -o com.docker.network.driver.mtu=1400 lab"
LINE = "docker run -d --network bridge IMAGE sleep 60"


def judge_gateway(states: BridgeStates) -> Judgement:
    """The claim holds if every default gateway of the container is an address of the default bridge."""
    machine, inside, name = states
    gateways = [route.gateway for route in inside.routes if route.destination == "default" and route.gateway]
    bridge = find_interface(machine, name)
    own = [address.address for address in bridge.addresses] if bridge else []
    evidence = (
        f"default route of the container: via {', '.join(gateways) or 'nothing'}",
        f"{name} has {', '.join(own)}",
    )
    return holds_if(bool(gateways) and set(gateways) <= set(own), f"The gateway is not {name}.", *evidence)


def judge_mtu(states: BridgeStates) -> Judgement:
    """The claim holds if the default bridge and the container's eth0 have the same MTU."""
    machine, inside, bridge = states
    outer, inner = find_interface(machine, bridge), find_interface(inside, "eth0")
    if outer is None or inner is None:
        return differs(
            f"{bridge} or the container's eth0 is missing.", f"interfaces in the container: {len(inside.interfaces)}"
        )
    evidence = f"MTU of {bridge}: {outer.mtu}, of eth0 in the container: {inner.mtu}"
    return holds_if(outer.mtu == inner.mtu, "The MTUs differ.", evidence)


def judge_veth(states: BridgeStates) -> Judgement:
    """The claim holds if the peer of the container's eth0 is a port of the default bridge."""
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
    return holds_if(
        outer is not None and outer.master == bridge,
        f"The machine's end of the veth pair is not a port of {bridge}.",
        *evidence,
    )


def _claim(
    claim_id: str,
    statement: str,
    source: str,
    *networks: str,
    judge: Callable[[BridgeStates], Judgement],
    typed: str,
    mutation: Mapping[str, str],
    exact: str = "",
) -> Claim:
    """Builds a claim about a container on the default bridge: docker0, or podman0 with Podman.

    ``networks`` are commands that create networks. They are executed first, but pages do not show them: only the
    mutation (``Claim.mutation``) connects the container to these networks. ``typed`` is a command for pages only, which
    show it after ``LINE``.
    """
    return Claim(
        id=claim_id,
        topic=Topic.BRIDGE,
        statement=statement,
        source=source,
        exact=exact,
        observe=observe_default_bridge(*networks, LINE),
        judge=judge,
        lines=(LINE, typed),
        mutation=mutation,
        otherwise=(
            Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),
            Expectation(PODMAN, statement=statement.replace("docker0", "podman0"), judge=judge),
        ),
    )


CLAIMS = (
    _claim(
        "bridge-gateway",
        "On the default bridge, docker0's address is the container's default gateway.",
        "Docker documentation, “Bridge network driver”",
        judge=judge_gateway,
        typed="docker exec ID ip route",
        mutation={"--network bridge": "--network none"},
    ),
    _claim(
        "bridge-mtu",
        "A container on the default bridge has docker0's MTU, whatever the MTU of the machine's uplink.",
        "Docker documentation, “Bridge network driver”, com.docker.network.driver.mtu; dockerd(8), --mtu",
        NETWORK,
        judge=judge_mtu,
        typed="docker exec ID ip link show eth0",
        mutation={"--network bridge": "--network {lab}"},
        exact="Where the machine's link has a smaller MTU (VPN, cloud), large packets are lost until you set the MTU "
        "yourself. In host mode you need not set it.",
    ),
    _claim(
        "bridge-veth",
        "A veth pair connects a container to the default bridge: one end is its eth0, the other a port of docker0.",
        "veth(4); Docker documentation, “Bridge network driver”",
        judge=judge_veth,
        typed="ip -o link",
        mutation={"--network bridge": "--network none"},
    ),
)
