"""--link is refused in host mode."""

from dashboard.core.claims.judges import judge_refused
from dashboard.core.claims.model import Claim, Topic
from dashboard.core.claims.observers import observe_refusal

FIRST = "docker run -d --name web IMAGE sleep 60"
LINE = "docker run -d --network host --link {web}:web IMAGE sleep 60"

CLAIM = Claim(
    id="link-refused",
    topic=Topic.WHEN,
    statement="--link is refused in host mode.",
    source="Moby, runconfig/hostconfig_unix.go",
    observe=observe_refusal(FIRST, LINE),
    judge=judge_refused,
    lines=(FIRST, LINE),
    mutation={"--network host": "--network bridge"},
)
