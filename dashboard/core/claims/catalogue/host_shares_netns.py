"""Host mode is the machine's network namespace: one inode."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.core.claims.extract import say_inodes
from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host IMAGE sleep 60"

Inodes = Mapping[str, int]


async def observe(stage: Stage) -> tuple[Inodes, Inodes]:
    """The namespaces of the machine and of the container."""
    one = await stage.run(LINE)
    return await stage.inodes(MACHINE), await stage.inodes(one)


def judge(seen: tuple[Inodes, Inodes]) -> Judgement:
    """The same inode is the same namespace."""
    machine, inside = seen
    evidence = say_inodes("net", {"the machine": machine, "the container": inside})
    return proves(machine["net"] == inside["net"], "The container has a network namespace of its own.", *evidence)


CLAIM = Claim(
    id="host-shares-netns",
    topic=Topic.ISOLATION,
    statement="With --network host the container has no network isolation: it is in the machine's network namespace.",
    source="Docker documentation, “Networking using the host network”; network_namespaces(7)",
    exact="“The machine” is where the Engine runs: on Docker Desktop that is its virtual machine, with a rootless "
    "engine before 29.5 RootlessKit's namespace.",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network host": "--network bridge"},
)
