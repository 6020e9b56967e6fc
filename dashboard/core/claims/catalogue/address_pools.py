"""Claims about the subnets that an engine gives to its bridges and networks. An engine is started for each claim."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.exchanges import run_script
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.prepared import prepared
from dashboard.core.claims.testbed import Testbed

NETWORK = "docker network create lab"
ON_NETWORK = "docker run -d --name app --network {lab} IMAGE sleep 60"
ALLOCATION = "Docker documentation, “Networking overview”: Subnet allocation"
ROUTED = "172.16.0.0/12"


@prepared
def judge_subnet(address: str, subnet: str, otherwise: str, *, inside: bool = True) -> Judgement:
    """The claim holds if the container's address is inside the subnet; if ``inside`` is False, it holds if the address
    is outside. Otherwise the verdict is ``differs``, with the reason ``otherwise``."""
    proved = bool(address) and (ip_address(address) in ip_network(subnet)) is inside
    return holds_if(proved, otherwise, f"address of the container: {address or 'none'}")


def _claim(
    claim_id: str,
    statement: str,
    source: str,
    daemon: str,
    *lines: str,
    judge: Callable[[str], Judgement],
    typed: str,
    mutation: Mapping[str, str],
    exact: str = "",
) -> Claim:
    """Builds a claim about the address of the container ``app``. ``daemon`` is a line ``dockerd …``: the claim starts
    an engine with it. ``lines`` are executed on this engine, and shown on pages. ``typed`` is a further command for
    pages only."""

    async def observe(testbed: Testbed) -> str:
        return (await run_script(await testbed.start_engine(daemon), lines))["app"].address

    return Claim(
        id=claim_id,
        topic=Topic.BRIDGE,
        statement=statement,
        source=source,
        exact=exact,
        observe=observe,
        judge=judge,
        lines=(*lines, typed),
        needs=frozenset({Need.OWN_HOST}),
        mutation=mutation,
        otherwise=(Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),),
    )


BIP = "dockerd --bip=10.213.207.1/24"
POOLS = "dockerd --default-address-pool=base=10.213.208.0/20,size=24"
CLAIMS = (
    _claim(
        "bip-moves-docker0",
        "dockerd --bip gives the default bridge another subnet.",
        "dockerd(8), --bip",
        BIP,
        "docker run -d --name app IMAGE sleep 60",
        judge=judge_subnet("10.213.207.0/24", "The container is in another subnet."),
        typed=BIP,
        mutation={"10.213.207.1/24": "10.213.208.1/24"},
    ),
    _claim(
        "pools-move-networks",
        "default-address-pools sets the range from which new networks take their subnets.",
        "dockerd(8), --default-address-pool",
        POOLS,
        NETWORK,
        ON_NETWORK,
        judge=judge_subnet("10.213.208.0/20", "The container is in another subnet."),
        typed=POOLS,
        mutation={"10.213.208.0/20": "10.213.224.0/20"},
    ),
    _claim(
        "pool-avoids-routes",
        "For a network without --subnet, the Engine does not choose a subnet that the machine reaches directly through "
        "an interface.",
        ALLOCATION,
        "dockerd --bip=10.213.209.1/24",
        "ip route add 172.16.0.0/12 dev eth0",
        NETWORK,
        ON_NETWORK,
        judge=judge_subnet(ROUTED, "The container's subnet is in the range of the route.", inside=False),
        typed="docker inspect app",
        mutation={"ip route add 172.16.0.0/12": "ip route add 203.0.113.0/24"},
        exact="Only routes that exist at that moment count: a VPN that connects later can collide.",
    ),
    _claim(
        "pool-takes-routed",
        "For a network without --subnet, the Engine can choose a subnet that the machine reaches through a gateway, as "
        "with OpenVPN: the network then cuts that subnet off.",
        ALLOCATION,
        "dockerd --bip=10.213.210.1/24",
        "ip route add 172.16.0.0/12 via 192.0.2.1",
        NETWORK,
        ON_NETWORK,
        judge=judge_subnet(ROUTED, "The container's subnet is outside the range of the route."),
        typed="docker inspect app",
        mutation={"via 192.0.2.1": "dev eth0"},
    ),
)
