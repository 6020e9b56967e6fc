"""The Engine avoids subnets that an interface of the machine reaches."""

from ipaddress import ip_address, ip_network

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.exchanges import run_script
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Container, Testbed

LINES = (
    "ip route add 172.16.0.0/12 dev eth0",
    "docker network create lab",
    "docker run -d --name app --network {lab} IMAGE sleep 60",
)

DAEMON = "dockerd --bip=10.213.209.1/24"
ROUTED = ip_network("172.16.0.0/12")


async def observe(testbed: Testbed) -> Container:
    """The container on the network."""
    return (await run_script(await testbed.start_engine(DAEMON), LINES))["app"]


def judge(container: Container) -> Judgement:
    """Holds if its address is outside 172.16.0.0/12."""
    evidence = f"address of the container: {container.address or 'none'}"
    outside = bool(container.address) and ip_address(container.address) not in ROUTED
    return holds_if(outside, "It is in the range of the route.", evidence)


CLAIM = Claim(
    id="pool-avoids-routes",
    topic=Topic.BRIDGE,
    statement="For a network without --subnet, the Engine does not choose a subnet that the machine reaches "
    "directly through an interface.",
    source="Docker documentation, “Networking overview”: Subnet allocation",
    exact="Only routes that exist at that moment count: a VPN that connects later can collide.",
    observe=observe,
    judge=judge,
    lines=(*LINES, "docker inspect app"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"ip route add 172.16.0.0/12": "ip route add 203.0.113.0/24"},
    otherwise=(Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),),
)
