"""host.docker.internal does not exist by itself on Linux."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.judges import judge_no_names
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_names

LINES = ("docker run -d --name client IMAGE sleep 60",)

CLAIM = Claim(
    id="no-internal-name",
    topic=Topic.DNS,
    statement="On Linux host.docker.internal does not resolve unless the container was started with --add-host "
    "host.docker.internal:host-gateway.",
    source="docker-run(1), --add-host",
    exact="On Docker Desktop the name always exists.",
    observe=observe_names(LINES, "client", "host.docker.internal"),
    judge=judge_no_names,
    lines=(
        *LINES,
        "docker exec client nslookup host.docker.internal",
    ),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--name client": "--name client --add-host host.docker.internal:host-gateway"},
    otherwise=(Expectation(PODMAN, not_testable="Podman adds the name itself."),),
)
