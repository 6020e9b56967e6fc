"""Container names resolve on a user-defined network."""

from dashboard.core.claims.judges import judge_resolved
from dashboard.core.claims.model import Claim, Topic
from dashboard.core.claims.observers import observe_lookup

NETWORK = "docker network create lab"
FIRST = "docker run -d --name web --network {lab} IMAGE sleep 60"
SECOND = "docker run -d --network {lab} IMAGE sleep 60"

CLAIM = Claim(
    id="names-on-user-network",
    topic=Topic.DNS,
    statement="On a user-defined network containers resolve each other's names.",
    source="Docker documentation, “Bridge network driver”, differences between user-defined bridges and the default "
    "one",
    observe=observe_lookup("{web}", NETWORK, FIRST, SECOND),
    judge=judge_resolved,
    lines=(NETWORK, FIRST, SECOND, "docker exec ID nslookup web"),
    mutation={"--network {lab}": "--network bridge"},
)
