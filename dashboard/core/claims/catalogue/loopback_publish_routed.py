"""A neighbour that routes 127.0.0.1 to the machine cannot reach a loopback port; before 28.0 it can."""

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Response, Testbed

LINES = ("docker run -d --name web -p 127.0.0.1:8196:80 IMAGE",)


async def observe(testbed: Testbed) -> Response:
    """A request from the neighbour to 127.0.0.1, which the neighbour routes to the machine."""
    (container,) = await run_lines(testbed, *LINES)
    await testbed.wait_listening(container, 80)
    return await testbed.request_from_lan("127.0.0.1", 8196)


def judge(response: Response) -> Judgement:
    """Holds if nothing accepts the connection."""
    evidence = f"GET from another machine at 127.0.0.1, routed to the machine: {response.summary}"
    return holds_if(not response.connected, "It answers.", evidence)


def judge_reachable(response: Response) -> Judgement:
    """Holds if the container answers."""
    evidence = f"GET from another machine at 127.0.0.1, routed to the machine: {response.summary}"
    return holds_if(response.status == 200, "It does not answer.", evidence)


CLAIM = Claim(
    id="loopback-publish-routed",
    topic=Topic.PUBLISHING,
    statement="Another machine that routes packets for 127.0.0.1 to this one cannot use a port published on 127.0.0.1.",
    source="Docker documentation, “Port publishing and mapping”; moby/moby#45610",
    exact="Packets are translated (DNAT) before the kernel refuses loopback addresses on other interfaces.",
    observe=observe,
    judge=judge,
    lines=(
        *LINES,
        "sysctl -w net.ipv4.conf.eth0.route_localnet=1  # on another machine",
        "ip route add 127.0.0.1/32 via {machine}  # on another machine",
        "curl http://127.0.0.1:8196/  # on another machine",
    ),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-p 127.0.0.1:8196:80": "-p 8196:80"},
    otherwise=(
        Expectation(
            ROOTLESS_PODMAN,
            statement="Another machine that routes packets for 127.0.0.1 to this one cannot use a port published on "
            "127.0.0.1: rootlessport listens there, and no rule translates it.",
            judge=judge,
        ),
        Expectation(
            PODMAN,
            statement="Another machine that routes packets for 127.0.0.1 to this one reaches a port published on "
            "127.0.0.1: netavark's DNAT precedes the check.",
            judge=judge_reachable,
            mutation={"-p 127.0.0.1:8196:80": "-p 127.0.0.2:8196:80"},
        ),
        Expectation(
            EngineCondition(before=(28, 0)),
            statement="Another machine that routes packets for 127.0.0.1 to this one reaches a port published on "
            "127.0.0.1: DNAT precedes the check.",
            judge=judge_reachable,
            exact="Fixed in 28.0 by a rule in the raw table.",
            mutation={"-p 127.0.0.1:8196:80": "-p 127.0.0.2:8196:80"},
        ),
    ),
)
