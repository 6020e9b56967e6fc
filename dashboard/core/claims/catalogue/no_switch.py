"""A running container is not switched from host mode."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves

NETWORK = "docker network create lab"
LINE = "docker run -d --network host IMAGE sleep 60"


async def observe(stage: Stage) -> str:
    """What the Engine says to docker network connect."""
    await stage.network(NETWORK)
    return await stage.connect("{lab}", await stage.run(LINE))


def judge(seen: str) -> Judgement:
    """Refused."""
    evidence = f"docker network connect: {seen or 'done'}"
    return proves(bool(seen), "It was connected.", evidence)


CLAIM = Claim(
    id="no-switch",
    topic=Topic.WHEN,
    statement="A container in host mode cannot be connected to another network: create it again in the other mode.",
    source="Docker documentation, docker network connect; Moby, daemon/container_operations.go",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE, "docker network connect {lab} ID"),
    counter={"--network host": "--network bridge"},
)
