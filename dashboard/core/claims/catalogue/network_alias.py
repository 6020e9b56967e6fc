"""--network-alias is an additional name on a user-defined network."""

from dashboard.core.claims.judges import judge_resolved
from dashboard.core.claims.model import Claim, Topic
from dashboard.core.claims.observers import observe_lookup

NETWORK = "docker network create lab"
FIRST = "docker run -d --name web --network {lab} --network-alias shop IMAGE sleep 60"
SECOND = "docker run -d --network {lab} IMAGE sleep 60"

CLAIM = Claim(
    id="network-alias",
    topic=Topic.DNS,
    statement="--network-alias gives a container an additional name on a user-defined network.",
    source="docker-run(1), --network-alias",
    observe=observe_lookup("shop", NETWORK, FIRST, SECOND),
    judge=judge_resolved,
    lines=(NETWORK, FIRST, SECOND),
    mutation={" --network-alias shop": ""},
)
