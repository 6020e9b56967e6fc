"""``-p`` in host mode: discarded, and said once."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, differs, holds

LINE = "docker run -d --network host -p 8080:80 IMAGE sleep 30"
WARNING = "Published ports are discarded when using host network mode"


async def observe(stage: Stage) -> Container:
    """One container in host mode with a port to publish."""
    return await stage.run(LINE)


def judge(seen: Container) -> Judgement:
    """The warning is in the create answer; the mapping stays in HostConfig and is nowhere in NetworkSettings."""
    asked = seen.inspected.get("HostConfig", {}).get("PortBindings")
    published = seen.inspected.get("NetworkSettings", {}).get("Ports")
    evidence = (
        f"create answer, Warnings: {list(seen.warnings)}",
        f"HostConfig.PortBindings: {asked}",
        f"NetworkSettings.Ports: {published}",
    )
    if published:
        return differs("The Engine published the port.", *evidence)
    if WARNING not in seen.warnings:
        return differs("The Engine discarded the port without the warning.", *evidence)
    return holds(*evidence)


CLAIM = Claim(
    id="discarded-publish",
    topic=Topic.PUBLISHING,
    statement="With --network host, -p is discarded with a warning.",
    source="Docker documentation, “Host network driver”; Moby, daemon/create.go",
    exact="The warning is in the answer to create and nowhere else: docker inspect never shows it, and HostConfig "
    "keeps the mapping that was discarded.",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network host": "--network bridge"},
)
