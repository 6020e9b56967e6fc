"""--network-alias is refused in host mode."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, proves

NETWORK = "docker network create lab"
LINE = "docker run -d --network host --network-alias shop IMAGE sleep 60"


async def observe(stage: Stage) -> Container:
    """What becomes of it."""
    await stage.network(NETWORK)
    return await stage.run(LINE)


def judge(seen: Container) -> Judgement:
    """Refused."""
    return proves(bool(seen.refused), "It was accepted.", f"docker run: {seen.said}")


CLAIM = Claim(
    id="alias-refused",
    topic=Topic.WHEN,
    statement="--network-alias is refused in host mode: it is for user-defined networks.",
    source="Moby, daemon/container_operations.go: validateEndpointSettings",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network host": "--network {lab}"},
)
