"""--network-alias is refused in host mode."""

from dashboard.core.claims.judges import judge_refused
from dashboard.core.claims.model import Claim, Topic
from dashboard.core.claims.observers import observe_refusal

NETWORK = "docker network create lab"
LINE = "docker run -d --network host --network-alias shop IMAGE sleep 60"

CLAIM = Claim(
    id="alias-refused",
    topic=Topic.WHEN,
    statement="--network-alias is refused in host mode: it is for user-defined networks.",
    source="Moby, daemon/container_operations.go: validateEndpointSettings",
    observe=observe_refusal(NETWORK, LINE),
    judge=judge_refused,
    lines=(LINE,),
    mutation={"--network host": "--network {lab}"},
)
