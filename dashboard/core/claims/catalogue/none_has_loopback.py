"""The claim that a container in the mode none has a loopback interface and nothing else."""

from dashboard.core.claims.extract import interface_names
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import observe_state
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network none IMAGE sleep 60"


def judge(inside: NamespaceState) -> Judgement:
    """The claim holds if lo is the only interface and there is no default route."""
    routes = [route for route in inside.routes if route.destination == "default"]
    evidence = (f"interfaces: {', '.join(interface_names(inside))}", f"default routes: {len(routes)}")
    return holds_if(
        interface_names(inside) == ("lo",) and not routes, "The container has more than loopback.", *evidence
    )


CLAIM = Claim(
    id="none-has-loopback",
    topic=Topic.BRIDGE,
    statement="With --network none the container has loopback and nothing else.",
    source="Docker documentation, “None network driver”",
    observe=observe_state(LINE),
    judge=judge,
    lines=(LINE, "docker exec ID ip link"),
    mutation={"--network none": "--network bridge"},
)
