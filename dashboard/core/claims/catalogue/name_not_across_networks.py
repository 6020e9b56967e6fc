"""Names do not resolve across networks."""

from dashboard.core.claims.judges import judge_no_names
from dashboard.core.claims.model import Claim, Topic
from dashboard.core.claims.observers import observe_names

LINES = (
    "docker network create one",
    "docker network create two",
    "docker run -d --name web --network {one} IMAGE sleep 60",
    "docker run -d --name client --network {two} IMAGE sleep 60",
)

CLAIM = Claim(
    id="name-not-across-networks",
    topic=Topic.DNS,
    statement="A container's name does not resolve on another network, even if both networks are user-defined.",
    source="Docker documentation, “Bridge network driver”",
    observe=observe_names(LINES, "client", "{web}"),
    judge=judge_no_names,
    lines=(
        *LINES,
        "docker exec client nslookup web",
    ),
    mutation={"--network {two}": "--network {one}"},
)
