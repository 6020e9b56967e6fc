"""Host mode shares the network of the Linux kernel on which the Engine runs."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.core.claims.extract import say_inodes
from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host IMAGE sleep 60"

Seen = tuple[Mapping[str, int], Mapping[str, int], str]


async def observe(stage: Stage) -> Seen:
    """The namespaces of the Engine and of the container, and the kernel's name."""
    one = await stage.run(LINE)
    _, kernel = await stage.inside(one, "uname -sr")
    return await stage.inodes(MACHINE), await stage.inodes(one), kernel.strip()


def judge(seen: Seen) -> Judgement:
    """The Engine's own namespace, on Linux."""
    engine, inside, kernel = seen
    evidence = (
        f"kernel of the container: {kernel}",
        *say_inodes("net", {"the Engine": engine, "the container": inside}),
    )
    if not kernel.startswith("Linux"):
        return differs("It is not Linux.", *evidence)
    return proves(engine["net"] == inside["net"], "The namespace is not the Engine's.", *evidence)


CLAIM = Claim(
    id="linux-kernel",
    topic=Topic.WHEN,
    statement="Host mode works where the Engine runs on Linux itself: what is shared is the network namespace of the "
    "Engine's process.",
    source="Docker documentation, “Host network driver”",
    exact="“Works on Linux only” is out of date: Docker Desktop 4.34 has it to opt in, for TCP and UDP, and shares "
    "its virtual machine's interfaces, not your computer's.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID uname -sr"),
    counter={"--network host": "--network none"},
)
