"""Abstract unix sockets belong to the network namespace: host mode shares them."""

from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import observe_machine_server
from dashboard.core.claims.testbed import Response

LINE = "docker run -d --network host IMAGE sleep 60"
NAME = "@netmodes-claim-host"


def judge(response: Response) -> Judgement:
    """Holds if the machine's server answers."""
    evidence = f"connect to {NAME} from the container: {'answered' if response.connected else response.error}"
    return holds_if(response.connected, "The socket is unreachable.", evidence)


CLAIM = Claim(
    id="abstract-from-host",
    topic=Topic.INTERFERENCE,
    statement="A container in host mode reaches the machine's abstract unix sockets, without any mount.",
    source="unix(7), abstract sockets; network_namespaces(7)",
    exact="Rarely mentioned: older containerd shims could be taken over this way (CVE-2020-15257).",
    observe=observe_machine_server(LINE, NAME),
    judge=judge,
    lines=(LINE, "docker exec ID grep @ /proc/net/unix"),
    mutation={"--network host": "--network bridge"},
)
