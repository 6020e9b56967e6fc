"""Two networks cannot overlap."""

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Testbed

LINES = ("docker network create --subnet 10.213.204.0/24 one",)
SECOND = "docker network create --subnet 10.213.204.0/25 two"


async def observe(testbed: Testbed) -> str:
    """The Engine's refusal of the second network; empty if it accepts."""
    await testbed.create_network(LINES[0])
    return await testbed.try_create_network(SECOND)


def judge(refusal: str) -> Judgement:
    """Holds if it is refused."""
    return holds_if(bool(refusal), "It was accepted.", f"docker network create: {refusal or 'accepted'}")


CLAIM = Claim(
    id="overlap-refused",
    topic=Topic.BRIDGE,
    statement="The Engine refuses a bridge network if its --subnet overlaps that of another Docker network: “Pool "
    "overlaps”.",
    source="docker-network-create(1), --subnet",
    observe=observe,
    judge=judge,
    lines=(*LINES, SECOND),
    needs=frozenset({Need.PRIVATE}),
    mutation={"10.213.204.0/25": "10.213.205.0/24"},
)
