"""The claim that the MTU of a network is set with an option of the network."""

from dashboard.core.claims.extract import find_interface
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import observe_state
from dashboard.core.namespaces.state import NamespaceState

NETWORK = "docker network create -o com.docker.network.driver.mtu=1400 lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"


def judge(inside: NamespaceState) -> Judgement:
    """The claim holds if eth0 has the configured MTU."""
    eth0 = find_interface(inside, "eth0")
    evidence = f"MTU of eth0 in the container: {eth0.mtu if eth0 else 'no eth0'}"
    return holds_if(eth0 is not None and eth0.mtu == 1400, "The container's eth0 has another MTU.", evidence)


CLAIM = Claim(
    id="network-mtu",
    topic=Topic.BRIDGE,
    statement="On a user-defined bridge the MTU is an option of the network and applies to every container on it.",
    source="Docker documentation, “Bridge network driver”, com.docker.network.driver.mtu",
    observe=observe_state(NETWORK, LINE),
    judge=judge,
    lines=(NETWORK, LINE),
    mutation={" -o com.docker.network.driver.mtu=1400": ""},
)
