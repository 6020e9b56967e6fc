"""The Engine avoids subnets that the machine has a route to."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from dashboard.core.claims.exchanges import run_script
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Container, Testbed

LINES = (
    "ip route add 172.16.0.0/12 via 192.0.2.1",
    "docker network create lab",
    "docker run -d --name app --network {lab} IMAGE sleep 60",
)

ROUTED = ip_network("172.16.0.0/12")


async def observe(testbed: Testbed) -> Container:
    """The container on the network."""
    return (await run_script(testbed, LINES))["app"]


def judge(container: Container) -> Judgement:
    """Holds if its address is outside 172.16.0.0/12."""
    evidence = f"address of the container: {container.address or 'none'}"
    outside = bool(container.address) and ip_address(container.address) not in ROUTED
    return holds_if(outside, "It is in the range of the route.", evidence)


CLAIM = Claim(
    id="pool-avoids-routes",
    topic=Topic.BRIDGE,
    statement="For a network without --subnet the Engine takes no subnet that the machine already has a route "
    "to, such as that of a VPN.",
    source="Docker documentation, “Networking overview”: Subnet allocation",
    exact="Only routes that exist at that moment count: a VPN that connects later still collides.",
    observe=observe,
    judge=judge,
    lines=(
        *LINES,
        "docker inspect app",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={"ip route add 172.16.0.0/12": "ip route add 203.0.113.0/24"},
)
