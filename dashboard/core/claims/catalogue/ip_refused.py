"""--ip is refused in host mode."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Need, Stage, Topic, proves

NETWORK = "docker network create --subnet 10.213.201.0/24 lab"
LINE = "docker run -d --network host --ip 10.213.201.9 IMAGE sleep 60"


async def observe(stage: Stage) -> Container:
    """What becomes of it."""
    await stage.network(NETWORK)
    return await stage.run(LINE)


def judge(seen: Container) -> Judgement:
    """Refused."""
    return proves(bool(seen.refused), "It was accepted.", f"docker run: {seen.said}")


CLAIM = Claim(
    id="ip-refused",
    topic=Topic.WHEN,
    statement="--ip is refused in host mode: there is no address to give.",
    source="Moby, daemon/container_operations.go: validateEndpointSettings",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network host": "--network {lab}"},
)
