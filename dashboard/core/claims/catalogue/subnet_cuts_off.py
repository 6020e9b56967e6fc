"""The claim that a Docker network with the subnet of a remote network cuts the machine off from that network."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.exchanges import run_script
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Response, Testbed
from dashboard.core.modes import MACHINE

LINES = (
    "ip address add 198.51.100.1/32 dev lo  # on the router",
    "python3 -m http.server --bind 198.51.100.1 8192  # on the router",
)
NETWORK = "docker network create --subnet 198.51.100.0/24 --gateway 198.51.100.254 lab"

Observed = tuple[Response, Response]


async def observe(testbed: Testbed) -> Observed:
    """Sends a request to a server on the remote network before and after the Docker network is created; returns both
    responses."""
    await run_script(testbed, LINES)
    before = await testbed.request(MACHINE, "198.51.100.1", 8192)
    await testbed.create_network(NETWORK)
    return before, await testbed.request(MACHINE, "198.51.100.1", 8192)


def judge(observed: Observed) -> Judgement:
    """The claim holds if the remote server answers only before the Docker network is created."""
    before, after = observed
    evidence = (f"GET before: {before.summary}", f"GET after: {after.summary}")
    return holds_if(before.status == 200 and not after.connected, "The network made no difference.", *evidence)


CLAIM = Claim(
    id="subnet-cuts-off",
    topic=Topic.BRIDGE,
    statement="A Docker network with the same subnet as a remote network cuts the machine off from that network: "
    "the bridge's route is more specific than the default route.",
    source="ip-route(8); Docker documentation, “Networking overview”: Subnet allocation",
    observe=observe,
    judge=judge,
    lines=(*LINES, "curl http://198.51.100.1:8192/", NETWORK, "curl http://198.51.100.1:8192/"),
    needs=frozenset({Need.ALONE}),
    mutation={"--subnet 198.51.100.0/24 --gateway 198.51.100.254": "--subnet 203.0.113.0/24 --gateway 203.0.113.254"},
    otherwise=(Expectation(PODMAN, not_testable="Podman creates a bridge when its first container starts."),),
)
