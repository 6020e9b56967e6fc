"""A container on two networks resolves names of both."""

from dashboard.core.claims.engine_facts import EngineCondition
from dashboard.core.claims.judges import judge_names
from dashboard.core.claims.model import Claim, Expectation, Topic
from dashboard.core.claims.observers import observe_names

LINES = (
    "docker network create one",
    "docker network create two",
    "docker run -d --name web --network {one} IMAGE sleep 60",
    "docker run -d --name db --network {two} IMAGE sleep 60",
    "docker run -d --name client --network {one} --network {two} IMAGE sleep 60",
)

CLAIM = Claim(
    id="two-networks-names",
    topic=Topic.DNS,
    statement="A container on two networks resolves the names of both.",
    source="Docker documentation, “Bridge network driver”",
    observe=observe_names(LINES, "client", "{web}", "{db}"),
    judge=judge_names,
    lines=(
        *LINES,
        "docker exec client nslookup web",
        "docker exec client nslookup db",
    ),
    mutation={"--network {one} --network {two}": "--network {one}"},
    otherwise=(
        Expectation(
            EngineCondition(before_api=(1, 44)), not_testable="Before API 1.44 a container is created with one network."
        ),
    ),
)
