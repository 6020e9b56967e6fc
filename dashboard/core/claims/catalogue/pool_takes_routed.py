"""The Engine can choose subnets that are routed through a gateway."""

from ipaddress import ip_address, ip_network

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.exchanges import run_script
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Container, Testbed

LINES = (
    "ip route add 172.16.0.0/12 via 192.0.2.1",
    "docker network create lab",
    "docker run -d --name app --network {lab} IMAGE sleep 60",
)

DAEMON = "dockerd --bip=10.213.210.1/24"
ROUTED = ip_network("172.16.0.0/12")


async def observe(testbed: Testbed) -> Container:
    """The container on the network."""
    return (await run_script(await testbed.start_engine(DAEMON), LINES))["app"]


def judge(container: Container) -> Judgement:
    """Holds if its address is inside 172.16.0.0/12."""
    evidence = f"address of the container: {container.address or 'none'}"
    inside = bool(container.address) and ip_address(container.address) in ROUTED
    return holds_if(inside, "It is outside the range of the route.", evidence)


CLAIM = Claim(
    id="pool-takes-routed",
    topic=Topic.BRIDGE,
    statement="For a network without --subnet, the Engine can choose a subnet that the machine reaches through a "
    "gateway, as with OpenVPN: the network then cuts that subnet off.",
    source="Docker documentation, “Networking overview”: Subnet allocation",
    observe=observe,
    judge=judge,
    lines=(*LINES, "docker inspect app"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"via 192.0.2.1": "dev eth0"},
    otherwise=(Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),),
)
