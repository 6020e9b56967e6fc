"""--sysctl net.* is refused in host mode."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, proves

LINE = "docker run -d --network host --sysctl net.ipv4.ip_forward=1 IMAGE sleep 60"


async def observe(stage: Stage) -> Container:
    """What becomes of it."""
    return await stage.run(LINE)


def judge(seen: Container) -> Judgement:
    """Refused."""
    return proves(bool(seen.refused), "It was accepted.", f"docker run: {seen.said}")


CLAIM = Claim(
    id="sysctl-refused",
    topic=Topic.WHEN,
    statement="Network sysctls are refused in host mode: they would change the machine.",
    source="opencontainers/runc, libcontainer/configs/validate",
    exact="The runtime refuses when the container starts, so it stays behind as Created.",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network host": "--network bridge"},
)
