"""--link is refused in host mode."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, proves

FIRST = "docker run -d --name web IMAGE sleep 60"
LINE = "docker run -d --network host --link {web}:web IMAGE sleep 60"


async def observe(stage: Stage) -> Container:
    """What becomes of it."""
    await stage.run(FIRST)
    return await stage.run(LINE)


def judge(seen: Container) -> Judgement:
    """Refused."""
    return proves(bool(seen.refused), "It was accepted.", f"docker run: {seen.said}")


CLAIM = Claim(
    id="link-refused",
    topic=Topic.WHEN,
    statement="--link is refused in host mode.",
    source="Moby, runconfig/hostconfig_unix.go",
    observe=observe,
    judge=judge,
    lines=(FIRST, LINE),
    counter={"--network host": "--network bridge"},
)
