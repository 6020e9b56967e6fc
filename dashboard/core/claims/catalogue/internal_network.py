"""An internal network has no way out."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.namespaces.state import NamespaceState

NETWORK = "docker network create --internal lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"


async def observe(stage: Stage) -> NamespaceState:
    """The container's routes."""
    await stage.network(NETWORK)
    return await stage.state(await stage.run(LINE))


def judge(seen: NamespaceState) -> Judgement:
    """No default route."""
    routes = [f"{one.destination} via {one.gateway or one.interface}" for one in seen.routes if one.family == "inet"]
    evidence = f"routes of the container: {', '.join(routes) or 'none'}"
    return proves(not any(one.destination == "default" for one in seen.routes), "There is a default route.", evidence)


CLAIM = Claim(
    id="internal-network",
    topic=Topic.BRIDGE,
    statement="A container on an --internal network has no default route.",
    source="docker-network-create(1), --internal",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE, "docker exec ID ip route"),
    counter={" --internal": ""},
)
