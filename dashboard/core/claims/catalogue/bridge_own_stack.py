"""In bridge mode the container has its own network stack."""

from dashboard.core.claims.extract import interface_names
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import States, observe_states

LINE = "docker run -d --network bridge IMAGE sleep 60"


def judge(states: States) -> Judgement:
    """Holds if the inode differs and the interfaces are lo and eth0."""
    machine, inside = states
    evidence = (
        f"net namespaces: machine {machine.netns}, container {inside.netns}",
        f"interfaces in the container: {', '.join(interface_names(inside))}",
    )
    proved = machine.netns != inside.netns and interface_names(inside) == ("lo", "eth0")
    return holds_if(proved, "It does not have its own stack with lo and eth0.", *evidence)


CLAIM = Claim(
    id="bridge-own-stack",
    topic=Topic.BRIDGE,
    statement="In bridge mode the container has its own network namespace, with lo and eth0.",
    source="Docker documentation, “Bridge network driver”; network_namespaces(7)",
    observe=observe_states(LINE),
    judge=judge,
    lines=(LINE,),
    mutation={"--network bridge": "--network host"},
)
