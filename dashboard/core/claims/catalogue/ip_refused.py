"""--ip is refused in host mode."""

from dashboard.core.claims.judges import judge_refused
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_refusal

NETWORK = "docker network create --subnet 10.213.201.0/24 lab"
LINE = "docker run -d --network host --ip 10.213.201.9 IMAGE sleep 60"

CLAIM = Claim(
    id="ip-refused",
    topic=Topic.WHEN,
    statement="--ip is refused in host mode: the container has no address of its own.",
    source="Moby, daemon/container_operations.go: validateEndpointSettings",
    observe=observe_refusal(NETWORK, LINE),
    judge=judge_refused,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network {lab}"},
)
