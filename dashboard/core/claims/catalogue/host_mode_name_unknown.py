"""The name of a container in host mode does not resolve."""

from dashboard.core.claims.judges import judge_no_names
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_names

LINES = (
    "docker network create lab",
    "docker run -d --name web --network host IMAGE sleep 60",
    "docker run -d --name client --network {lab} IMAGE sleep 60",
)

CLAIM = Claim(
    id="host-mode-name-unknown",
    topic=Topic.DNS,
    statement="The name of a container in host mode does not resolve on any network: use host.docker.internal or "
    "the gateway's address.",
    source="Docker documentation, “Host network driver”",
    observe=observe_names(LINES, "client", "{web}"),
    judge=judge_no_names,
    lines=(
        *LINES,
        "docker exec client nslookup web",
    ),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network {lab}"},
)
