"""Host mode gives the container no address of its own."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, proves

LINE = "docker run -d --network host IMAGE sleep 60"


async def observe(stage: Stage) -> Container:
    """One container in host mode."""
    return await stage.run(LINE)


def judge(seen: Container) -> Judgement:
    """No network of the container has an address."""
    evidence = [
        f"NetworkSettings.Networks.{name}.IPAddress: {text or 'empty'}" for name, text in seen.addresses.items()
    ]
    return proves(not seen.address, f"The Engine gave it {seen.address}.", *evidence)


CLAIM = Claim(
    id="host-no-address",
    topic=Topic.ISOLATION,
    statement="In host mode the container gets no IP address of its own.",
    source="Docker documentation, “Host network driver”",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network host": "--network bridge"},
)
