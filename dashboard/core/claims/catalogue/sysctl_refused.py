"""--sysctl net.* is refused in host mode."""

from dashboard.core.claims.judges import judge_refused
from dashboard.core.claims.model import Claim, Topic
from dashboard.core.claims.observers import observe_refusal

LINE = "docker run -d --network host --sysctl net.ipv4.ip_forward=1 IMAGE sleep 60"

CLAIM = Claim(
    id="sysctl-refused",
    topic=Topic.WHEN,
    statement="Network sysctls are refused in host mode: they would change the machine.",
    source="opencontainers/runc, libcontainer/configs/validate",
    exact="The runtime refuses them when the container starts, so it stays behind as Created.",
    observe=observe_refusal(LINE),
    judge=judge_refused,
    lines=(LINE,),
    mutation={"--network host": "--network bridge"},
)
