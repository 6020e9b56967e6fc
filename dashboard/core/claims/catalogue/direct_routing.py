"""Another machine with a route to a bridge network cannot use a container's own address; before 28.0 it can."""

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Response, Testbed

NETWORK = "docker network create lab"
LINE = "docker run -d --network {lab} -p 8122:80 IMAGE"


async def observe(testbed: Testbed) -> Response:
    """A request from the LAN to the container's own address."""
    (container,) = await run_lines(testbed, NETWORK, LINE)
    await testbed.wait_listening(container, 80)
    if not container.address:
        return Response(None, error="it has no address")
    return await testbed.request_from_lan(container.address, 80)


def judge(response: Response) -> Judgement:
    """Holds if nothing accepts the connection."""
    evidence = f"GET from the LAN at the container's address: {response.summary}"
    return holds_if(not response.connected, "It answers.", evidence)


def judge_reachable(response: Response) -> Judgement:
    """Holds if the container answers."""
    evidence = f"GET from the LAN at the container's address: {response.summary}"
    return holds_if(response.status == 200, "It does not answer.", evidence)


CLAIM = Claim(
    id="direct-routing",
    topic=Topic.PUBLISHING,
    statement="Another machine that has a route to a bridge network cannot use a container's own address, not even "
    "on a published port.",
    source="Docker documentation, “Packet filtering and firewalls”, direct routing; release notes of 28.0",
    exact="The machine drops packets for a container that arrive on another interface. gateway_mode_ipv4=routed or "
    "nat-unprotected and allow-direct-routing permit it; the option trusted_host_interfaces of a network (28.2) "
    "permits it from the interfaces that it names.",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE, "ip route add SUBNET via MACHINE  # on the other machine", "curl http://ADDRESS/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"create lab": "create -o com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected lab"},
    otherwise=(
        Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),
        Expectation(
            PODMAN,
            statement="Another machine that has a route to a bridge network reaches a container's own address on a "
            "published port.",
            judge=judge_reachable,
        ),
        Expectation(
            EngineCondition(before=(28, 0)),
            statement="Another machine that has a route to a bridge network reaches a container's own address on a "
            "published port.",
            judge=judge_reachable,
            exact="A rule in FORWARD accepts published ports from every interface. Since 28.0 the machine drops them.",
            mutation={" -p 8122:80": ""},
        ),
        Expectation(
            EngineCondition(gateway_mode="routed"),
            statement="Another machine that has a route to a routed bridge network reaches a container's own address "
            "on a published port.",
            judge=judge_reachable,
            mutation={" -p 8122:80": ""},
        ),
        Expectation(
            EngineCondition(iptables=False),
            statement="Another machine that has a route to a bridge network reaches a container's own address: no rule "
            "drops anything.",
            judge=judge_reachable,
            mutation={"--network {lab} -p 8122:80": "--network none"},
        ),
    ),
)
