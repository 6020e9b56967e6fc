"""dockerd --bip moves the default bridge."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.exchanges import run_script
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Testbed

LINES = ("docker run -d --name app IMAGE sleep 60",)

DAEMON = "dockerd --bip=10.213.207.1/24"


async def observe(testbed: Testbed) -> str:
    """The container's address."""
    containers = await run_script(await testbed.start_engine(DAEMON), LINES)
    return containers["app"].address


def judge(address: str) -> Judgement:
    """Holds if the address is in the configured subnet."""
    return holds_if(
        address.startswith("10.213.207."), "It is in another subnet.", f"address of the container: {address}"
    )


CLAIM = Claim(
    id="bip-moves-docker0",
    topic=Topic.BRIDGE,
    statement="dockerd --bip gives the default bridge another subnet.",
    source="dockerd(8), --bip",
    observe=observe,
    judge=judge,
    lines=(*LINES, DAEMON),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"10.213.207.1/24": "10.213.208.1/24"},
    otherwise=(Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),),
)
