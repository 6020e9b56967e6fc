"""The discarded mapping is still in HostConfig."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, differs, proves

LINE = "docker run -d --network host -p 8080:80 IMAGE sleep 60"


async def observe(stage: Stage) -> Container:
    """One container in host mode with a port to publish."""
    return await stage.run(LINE)


def judge(seen: Container) -> Judgement:
    """Asked in one place, absent in the other."""
    asked, published = seen.setting("HostConfig", "PortBindings"), seen.setting("NetworkSettings", "Ports")
    evidence = (f"HostConfig.PortBindings: {asked}", f"NetworkSettings.Ports: {published}")
    if published:
        return differs("The port is published.", *evidence)
    return proves(bool(asked), "The mapping is gone from HostConfig.", *evidence)


CLAIM = Claim(
    id="discarded-mapping-stays",
    topic=Topic.PUBLISHING,
    statement="A mapping that host mode discards stays in HostConfig.PortBindings; NetworkSettings.Ports is empty.",
    source="docker inspect; Moby, daemon/create.go",
    exact="Scripts that read HostConfig believe in a port that nobody published: read NetworkSettings.Ports.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker inspect --format '{{json .HostConfig.PortBindings}}' ID"),
    counter={" -p 8080:80": ""},
)
