"""Only --uts host shares the host name."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.core.claims.extract import say_inodes
from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host --uts host IMAGE sleep 60"

Inodes = Mapping[str, int]


async def observe(stage: Stage) -> tuple[Inodes, Inodes]:
    """The namespaces of the machine and of the container."""
    one = await stage.run(LINE)
    return await stage.inodes(MACHINE), await stage.inodes(one)


def judge(seen: tuple[Inodes, Inodes]) -> Judgement:
    """The same uts inode."""
    machine, inside = seen
    evidence = say_inodes("uts", {"the machine": machine, "the container": inside})
    return proves(machine["uts"] == inside["uts"], "The uts namespace is the container's own.", *evidence)


CLAIM = Claim(
    id="uts-host",
    topic=Topic.ISOLATION,
    statement="Only --uts host shares the machine's host name; --network host alone does not.",
    source="docker-run(1), --uts",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={" --uts host": ""},
)
