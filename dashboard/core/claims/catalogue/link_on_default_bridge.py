"""--link gives a name on the default bridge."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.judges import judge_names
from dashboard.core.claims.model import Claim, Expectation, Topic
from dashboard.core.claims.observers import observe_names

LINES = (
    "docker run -d --name web IMAGE sleep 60",
    "docker run -d --name client --link {web}:db IMAGE sleep 60",
)

CLAIM = Claim(
    id="link-on-default-bridge",
    topic=Topic.DNS,
    statement="On the default bridge the legacy option --link adds a name for the other container to the hosts file.",
    source="Docker documentation, “Legacy container links”",
    observe=observe_names(LINES, "client", "db"),
    judge=judge_names,
    lines=(
        *LINES,
        "docker exec client cat /etc/hosts",
    ),
    mutation={" --link {web}:db": ""},
    otherwise=(Expectation(PODMAN, not_testable="Podman does not support --link."),),
)
