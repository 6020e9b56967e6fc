"""A container on the default bridge has the bridge's MTU."""

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.extract import find_interface
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, differs, holds_if
from dashboard.core.claims.observers import BridgeStates, observe_default_bridge

NETWORK = "docker network create -o com.docker.network.driver.mtu=1400 lab"
LINE = "docker run -d --network bridge IMAGE sleep 60"


def judge(states: BridgeStates) -> Judgement:
    """Holds if the default bridge and eth0 have the same MTU."""
    machine, inside, bridge = states
    outer, inner = find_interface(machine, bridge), find_interface(inside, "eth0")
    if outer is None or inner is None:
        return differs(f"There is no {bridge}, or no eth0.", f"interfaces in the container: {len(inside.interfaces)}")
    evidence = f"MTU of {bridge}: {outer.mtu}, of eth0 in the container: {inner.mtu}"
    return holds_if(outer.mtu == inner.mtu, "They differ.", evidence)


CLAIM = Claim(
    id="bridge-mtu",
    topic=Topic.BRIDGE,
    statement="A container on the default bridge has docker0's MTU, whatever the MTU of the machine's uplink.",
    source="Docker documentation, “Bridge network driver”, com.docker.network.driver.mtu; dockerd(8), --mtu",
    exact="Where the machine's link has a smaller MTU (VPN, cloud), large packets vanish until you set the MTU by "
    "hand. In host mode there is nothing to set.",
    observe=observe_default_bridge(NETWORK, LINE),
    judge=judge,
    lines=(LINE, "docker exec ID ip link show eth0"),
    otherwise=(
        Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),
        Expectation(
            PODMAN,
            statement="A container on the default bridge has podman0's MTU, whatever the MTU of the machine's uplink.",
            judge=judge,
        ),
    ),
    mutation={"--network bridge": "--network {lab}"},
)
