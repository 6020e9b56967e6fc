"""--dns works in host mode."""

from dashboard.core.claims.extract import nameservers, on_one_line
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import observe_file

LINE = "docker run -d --network host --dns 192.0.2.99 IMAGE sleep 60"


def judge(resolv_conf: str) -> Judgement:
    """Holds if the file names the given server only."""
    evidence = f"resolv.conf in the container: {on_one_line(resolv_conf)}"
    return holds_if(nameservers(resolv_conf) == ("192.0.2.99",), "The option had no effect.", evidence)


CLAIM = Claim(
    id="dns-option-in-host-mode",
    topic=Topic.DNS,
    statement="--dns works in host mode as in the other modes.",
    source="docker-run(1), --dns",
    exact="Some tutorials say that it is ignored. Only --network container: refuses it.",
    observe=observe_file("/etc/resolv.conf", LINE),
    judge=judge,
    lines=(LINE,),
    mutation={" --dns 192.0.2.99": ""},
)
