"""An internal network has no default route."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import observe_state
from dashboard.core.namespaces.state import NamespaceState

NETWORK = "docker network create --internal lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"


def judge(inside: NamespaceState) -> Judgement:
    """Holds if there is no default route."""
    routes = [
        f"{route.destination} via {route.gateway or route.interface}"
        for route in inside.routes
        if route.family == "inet"
    ]
    evidence = f"routes of the container: {', '.join(routes) or 'none'}"
    has_default = any(route.destination == "default" for route in inside.routes)
    return holds_if(not has_default, "There is a default route.", evidence)


CLAIM = Claim(
    id="internal-network",
    topic=Topic.BRIDGE,
    statement="A container on an --internal network has no default route.",
    source="docker-network-create(1), --internal",
    observe=observe_state(NETWORK, LINE),
    judge=judge,
    lines=(NETWORK, LINE, "docker exec ID ip route"),
    mutation={" --internal": ""},
)
