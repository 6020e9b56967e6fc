"""default-address-pools sets the range of new networks."""

from ipaddress import ip_address, ip_network

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.exchanges import run_script
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Testbed

LINES = (
    "docker network create lab",
    "docker run -d --name app --network {lab} IMAGE sleep 60",
)

DAEMON = "dockerd --default-address-pool=base=10.213.208.0/20,size=24"


async def observe(testbed: Testbed) -> str:
    """The container's address."""
    containers = await run_script(await testbed.start_engine(DAEMON), LINES)
    return containers["app"].address


def judge(address: str) -> Judgement:
    """Holds if the address is in the configured subnet."""
    return holds_if(
        bool(address) and ip_address(address) in ip_network("10.213.208.0/20"),
        "It is in another subnet.",
        f"address of the container: {address}",
    )


CLAIM = Claim(
    id="pools-move-networks",
    topic=Topic.BRIDGE,
    statement="default-address-pools sets the range from which new networks take their subnets.",
    source="dockerd(8), --default-address-pool",
    observe=observe,
    judge=judge,
    lines=(*LINES, DAEMON),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"10.213.208.0/20": "10.213.224.0/20"},
    otherwise=(Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),),
)
