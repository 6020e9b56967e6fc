"""Claims that abstract unix sockets belong to the network namespace, so that host mode shares them."""

from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import observe_machine_server
from dashboard.core.claims.testbed import Response

IN_HOST_MODE = "docker run -d --network host IMAGE sleep 60"
NAME_IN_HOST_MODE = "@netmodes-claim-host"
IN_BRIDGE_MODE = "docker run -d --network bridge IMAGE sleep 60"
NAME_IN_BRIDGE_MODE = "@netmodes-claim-bridge"


def _evidence(name: str, response: Response) -> str:
    return f"connect to {name} from the container: {'answered' if response.connected else response.error}"


def judge_reached(response: Response) -> Judgement:
    """The claim holds if the machine's server answers."""
    return holds_if(response.connected, "The socket is unreachable.", _evidence(NAME_IN_HOST_MODE, response))


def judge_unreachable(response: Response) -> Judgement:
    """The claim holds if the container cannot connect to the machine's server."""
    return holds_if(not response.connected, "The socket is reachable.", _evidence(NAME_IN_BRIDGE_MODE, response))


CLAIMS = (
    Claim(
        id="abstract-from-host",
        topic=Topic.INTERFERENCE,
        statement="A container in host mode reaches the machine's abstract unix sockets, without any mount.",
        source="unix(7), abstract sockets; network_namespaces(7)",
        exact="Rarely mentioned: older containerd shims could be taken over this way (CVE-2020-15257).",
        observe=observe_machine_server(IN_HOST_MODE, NAME_IN_HOST_MODE),
        judge=judge_reached,
        lines=(IN_HOST_MODE, "docker exec ID grep @ /proc/net/unix"),
        mutation={"--network host": "--network bridge"},
    ),
    Claim(
        id="abstract-not-from-bridge",
        topic=Topic.INTERFERENCE,
        statement="A container in bridge mode cannot reach the machine's abstract unix sockets.",
        source="unix(7), abstract sockets; network_namespaces(7)",
        observe=observe_machine_server(IN_BRIDGE_MODE, NAME_IN_BRIDGE_MODE),
        judge=judge_unreachable,
        lines=(IN_BRIDGE_MODE,),
        mutation={"--network bridge": "--network host"},
    ),
)
