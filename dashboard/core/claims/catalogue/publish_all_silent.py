"""-P in host mode is ignored without a word."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, differs, proves

LINE = "docker run -d --network host -P IMAGE sleep 60"


async def observe(stage: Stage) -> Container:
    """One container in host mode with -P."""
    return await stage.run(LINE)


def judge(seen: Container) -> Judgement:
    """No port and no warning."""
    published = seen.setting("NetworkSettings", "Ports")
    evidence = (f"create answer, Warnings: {list(seen.warnings)}", f"NetworkSettings.Ports: {published}")
    if published:
        return differs("The Engine published ports.", *evidence)
    return proves(not seen.warnings, "The Engine warned.", *evidence)


CLAIM = Claim(
    id="publish-all-silent",
    topic=Topic.PUBLISHING,
    statement="In host mode -P is ignored, without any warning.",
    source="Docker documentation, “Host network driver”; Moby, daemon/create.go",
    exact="The usual sentence says “-p and -P are ignored with a warning”: only -p warns.",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network host": "--network bridge"},
)
