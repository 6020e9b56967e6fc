"""Containers on different bridge networks do not reach each other."""

from __future__ import annotations

from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, proves

ONE = "docker network create one"
TWO = "docker network create two"
SERVER = "docker run -d --network {one} IMAGE"
CLIENT = "docker run -d --network {two} IMAGE sleep 60"


async def observe(stage: Stage) -> Answer:
    """A request from one network to the other."""
    await stage.network(ONE)
    await stage.network(TWO)
    server = await stage.run(SERVER)
    client = await stage.run(CLIENT)
    await stage.serving(server, 80)
    return await stage.request(client, server.address, 80)


def judge(seen: Answer) -> Judgement:
    """Nobody answers."""
    return proves(not seen.connected, "They reach each other.", f"GET at the other network's container: {seen.said}")


CLAIM = Claim(
    id="bridges-apart",
    topic=Topic.BRIDGE,
    statement="Containers on different bridge networks do not reach each other's addresses.",
    source="Docker documentation, “Bridge network driver”; Moby, DOCKER-ISOLATION rules",
    exact="From host mode, and from the machine, every one of them is reached. Seen on 26.1.5: while another "
    "network is made or removed, connections between two networks pass for milliseconds; so this claim runs alone.",
    observe=observe,
    judge=judge,
    lines=(ONE, TWO, SERVER, CLIENT),
    needs=frozenset({Need.ALONE}),
    counter={"--network {two}": "--network {one}"},
)
