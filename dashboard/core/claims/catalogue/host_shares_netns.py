"""The claim that a container in host mode is in the machine's network namespace: both have the same inode."""

from dashboard.core.claims.extract import describe_inodes
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import Namespaces, observe_namespaces

LINE = "docker run -d --network host IMAGE sleep 60"


def judge(namespaces: Namespaces) -> Judgement:
    """The claim holds if the network namespaces of the machine and of the container have the same inode: they are then
    one namespace."""
    machine, inside = namespaces
    evidence = describe_inodes("net", {"the machine": machine, "the container": inside})
    return holds_if(machine["net"] == inside["net"], "The container has its own network namespace.", *evidence)


CLAIM = Claim(
    id="host-shares-netns",
    topic=Topic.ISOLATION,
    statement="With --network host the container has no network isolation: it is in the machine's network namespace.",
    source="Docker documentation, “Networking using the host network”; network_namespaces(7)",
    exact="“The machine” is where the Engine runs: on Docker Desktop that is its virtual machine, with a rootless "
    "engine before 29.5 RootlessKit's namespace.",
    observe=observe_namespaces(LINE),
    judge=judge,
    lines=(LINE,),
    mutation={"--network host": "--network bridge"},
)
