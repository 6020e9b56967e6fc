"""On the default bridge container names do not resolve."""

from dashboard.core.claims.judges import judge_not_found
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_lookup

NETWORK = "docker network create lab"
FIRST = "docker run -d --name web --network bridge IMAGE sleep 60"
SECOND = "docker run -d --network bridge IMAGE sleep 60"

CLAIM = Claim(
    id="names-not-on-bridge",
    topic=Topic.DNS,
    statement="On the default bridge containers cannot resolve each other's names.",
    source="Docker documentation, “Bridge network driver”",
    exact="The legacy --link writes the name into the hosts file; use a user-defined network instead.",
    observe=observe_lookup("{web}", NETWORK, FIRST, SECOND),
    judge=judge_not_found,
    lines=(FIRST, SECOND, "docker exec ID nslookup web"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network bridge": "--network {lab}"},
)
