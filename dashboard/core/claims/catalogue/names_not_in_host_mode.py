"""In host mode container names do not resolve."""

from dashboard.core.claims.judges import judge_not_found
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_lookup

NETWORK = "docker network create lab"
FIRST = "docker run -d --name web --network {lab} IMAGE sleep 60"
SECOND = "docker run -d --network host IMAGE sleep 60"

CLAIM = Claim(
    id="names-not-in-host-mode",
    topic=Topic.DNS,
    statement="A container in host mode cannot resolve container names, not even those on a user-defined network.",
    source="Docker documentation, “Host network driver”",
    exact="It is on no Docker network: use the other container's address or its published port.",
    observe=observe_lookup("{web}", NETWORK, FIRST, SECOND),
    judge=judge_not_found,
    lines=(NETWORK, FIRST, SECOND),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network {lab}"},
)
