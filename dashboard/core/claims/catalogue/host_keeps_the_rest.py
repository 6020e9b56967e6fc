"""Everything but the network stays isolated in host mode."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host IMAGE sleep 60"
KINDS = ("mnt", "pid", "ipc", "uts")

Inodes = Mapping[str, int]


async def observe(stage: Stage) -> tuple[Inodes, Inodes]:
    """The namespaces of the machine and of the container."""
    one = await stage.run(LINE)
    return await stage.inodes(MACHINE), await stage.inodes(one)


def judge(seen: tuple[Inodes, Inodes]) -> Judgement:
    """Four other inodes."""
    machine, inside = seen
    evidence = tuple(f"{kind}: machine {machine[kind]}, container {inside[kind]}" for kind in KINDS)
    shared = [kind for kind in KINDS if machine[kind] == inside[kind]]
    return proves(not shared, f"The container shares the machine's {', '.join(shared)} too.", *evidence)


CLAIM = Claim(
    id="host-keeps-the-rest",
    topic=Topic.ISOLATION,
    statement="In host mode file system, processes, IPC and host name stay isolated: mnt, pid, ipc and uts namespaces "
    "are the container's own.",
    source="Docker documentation, “Networking using the host network”; namespaces(7)",
    exact="“No isolation” is said of the network only.",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network host": "--network host --pid host"},
)
