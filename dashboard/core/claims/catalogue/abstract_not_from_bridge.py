"""Abstract unix sockets of the machine are not in a bridge container's namespace."""

from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import observe_machine_server
from dashboard.core.claims.testbed import Response

LINE = "docker run -d --network bridge IMAGE sleep 60"
NAME = "@netmodes-claim-bridge"


def judge(response: Response) -> Judgement:
    """Holds if the connection is refused."""
    evidence = f"connect to {NAME} from the container: {'answered' if response.connected else response.error}"
    return holds_if(not response.connected, "The socket is reachable.", evidence)


CLAIM = Claim(
    id="abstract-not-from-bridge",
    topic=Topic.INTERFERENCE,
    statement="A container in bridge mode cannot reach the machine's abstract unix sockets.",
    source="unix(7), abstract sockets; network_namespaces(7)",
    observe=observe_machine_server(LINE, NAME),
    judge=judge,
    lines=(LINE,),
    mutation={"--network bridge": "--network host"},
)
