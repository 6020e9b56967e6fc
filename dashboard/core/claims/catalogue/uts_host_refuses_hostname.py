"""--hostname together with --uts host is refused."""

from dashboard.core.claims.judges import judge_refused
from dashboard.core.claims.model import Claim, Topic
from dashboard.core.claims.observers import observe_refusal

LINE = "docker run -d --network host --uts host --hostname mine IMAGE sleep 60"

CLAIM = Claim(
    id="uts-host-refuses-hostname",
    topic=Topic.WHEN,
    statement="--hostname together with --uts host is refused: it would rename the machine.",
    source="Moby, runconfig/hostconfig_unix.go",
    observe=observe_refusal(LINE),
    judge=judge_refused,
    lines=(LINE,),
    mutation={" --uts host": ""},
)
