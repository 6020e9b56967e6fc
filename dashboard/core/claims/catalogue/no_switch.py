"""A container in host mode cannot be connected to another network."""

from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed

NETWORK = "docker network create lab"
LINE = "docker run -d --network host IMAGE sleep 60"


async def observe(testbed: Testbed) -> str:
    """The Engine's refusal of docker network connect."""
    (container,) = await run_lines(testbed, NETWORK, LINE)
    return await testbed.connect_network("{lab}", container)


def judge(refusal: str) -> Judgement:
    """Holds if the Engine refuses."""
    return holds_if(bool(refusal), "It was connected.", f"docker network connect: {refusal or 'done'}")


CLAIM = Claim(
    id="no-switch",
    topic=Topic.WHEN,
    statement="A container in host mode cannot be connected to another network: create it again in the other mode.",
    source="Docker documentation, docker network connect; Moby, daemon/container_operations.go",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE, "docker network connect {lab} ID"),
    mutation={"--network host": "--network bridge"},
)
