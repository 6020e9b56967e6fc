"""Only --uts host shares the host name."""

from dashboard.core.claims.extract import describe_inodes
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import Namespaces, observe_namespaces

LINE = "docker run -d --network host --uts host IMAGE sleep 60"


def judge(namespaces: Namespaces) -> Judgement:
    """Holds if the uts inode is the same."""
    machine, inside = namespaces
    evidence = describe_inodes("uts", {"the machine": machine, "the container": inside})
    return holds_if(machine["uts"] == inside["uts"], "The container has its own uts namespace.", *evidence)


CLAIM = Claim(
    id="uts-host",
    topic=Topic.ISOLATION,
    statement="Only --uts host shares the machine's host name; --network host alone does not.",
    source="docker-run(1), --uts",
    observe=observe_namespaces(LINE),
    judge=judge,
    lines=(LINE,),
    mutation={" --uts host": ""},
)
