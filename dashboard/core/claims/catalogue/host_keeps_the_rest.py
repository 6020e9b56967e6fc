"""Everything but the network stays isolated in host mode."""

from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import Namespaces, observe_namespaces

LINE = "docker run -d --network host IMAGE sleep 60"
KINDS = ("mnt", "pid", "ipc", "uts")


def judge(namespaces: Namespaces) -> Judgement:
    """Holds if all four inodes differ."""
    machine, inside = namespaces
    evidence = tuple(f"{kind}: machine {machine[kind]}, container {inside[kind]}" for kind in KINDS)
    shared = [kind for kind in KINDS if machine[kind] == inside[kind]]
    return holds_if(not shared, f"The container shares the machine's {', '.join(shared)} too.", *evidence)


CLAIM = Claim(
    id="host-keeps-the-rest",
    topic=Topic.ISOLATION,
    statement="In host mode file system, processes, IPC and host name stay isolated: the container has its own mnt, "
    "pid, ipc and uts namespaces.",
    source="Docker documentation, “Networking using the host network”; namespaces(7)",
    exact="“No isolation” applies to the network only.",
    observe=observe_namespaces(LINE),
    judge=judge,
    lines=(LINE,),
    mutation={"--network host": "--network host --pid host"},
)
