"""--hostname together with --uts host is refused."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, proves

LINE = "docker run -d --network host --uts host --hostname mine IMAGE sleep 60"


async def observe(stage: Stage) -> Container:
    """What becomes of it."""
    return await stage.run(LINE)


def judge(seen: Container) -> Judgement:
    """Refused."""
    return proves(bool(seen.refused), "It was accepted.", f"docker run: {seen.said}")


CLAIM = Claim(
    id="uts-host-refuses-hostname",
    topic=Topic.WHEN,
    statement="--hostname together with --uts host is refused: it would rename the machine.",
    source="Moby, runconfig/hostconfig_unix.go",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={" --uts host": ""},
)
