"""The claim that Docker's resolver listens inside the container's namespace, on ports that it chooses."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, differs, holds_if
from dashboard.core.claims.observers import observe_state
from dashboard.core.namespaces.state import NamespaceState

NETWORK = "docker network create lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"


def judge(inside: NamespaceState) -> Judgement:
    """The claim holds if there are listeners at 127.0.0.11, none of them on port 53."""
    sockets = [listener for listener in inside.listeners if listener.address == "127.0.0.11"]
    if not sockets:
        return differs("Nothing listens at 127.0.0.11.", f"sockets in the container: {len(inside.listeners)}")
    evidence = [f"{socket.protocol} 127.0.0.11:{socket.port} {socket.process or ''}".rstrip() for socket in sockets]
    return holds_if(all(socket.port != 53 for socket in sockets), "The resolver listens on port 53 itself.", *evidence)


CLAIM = Claim(
    id="resolver-sockets",
    topic=Topic.DNS,
    statement="Docker's resolver is the Engine itself, listening at 127.0.0.11 inside the container's namespace on "
    "ports that it chooses; NAT rules redirect port 53 there.",
    source="Moby, libnetwork/resolver.go and resolver_unix.go",
    exact="So none of it is visible on the machine, and a container's own firewall rules can block it.",
    observe=observe_state(NETWORK, LINE),
    judge=judge,
    lines=(NETWORK, LINE),
    otherwise=(
        Expectation(
            PODMAN,
            not_testable="On Podman aardvark-dns answers on the machine, at the address of the network's bridge.",
        ),
    ),
    mutation={"--network {lab}": "--network bridge"},
)
