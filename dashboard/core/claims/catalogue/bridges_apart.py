"""Containers on different bridge networks cannot reach each other."""

from dashboard.core.claims.engine_facts import EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Response, Testbed

ONE = "docker network create one"
TWO = "docker network create two"
SERVER = "docker run -d --network {one} IMAGE"
CLIENT = "docker run -d --network {two} IMAGE sleep 60"


async def observe(testbed: Testbed) -> Response:
    """A request from one network to the other."""
    server, client = await run_lines(testbed, ONE, TWO, SERVER, CLIENT)
    await testbed.wait_listening(server, 80)
    return await testbed.request(client, server.address, 80)


def judge(response: Response) -> Judgement:
    """Holds if no server accepts the connection."""
    evidence = f"GET at the other network's container: {response.summary}"
    return holds_if(not response.connected, "They reach each other.", evidence)


def judge_without_iptables(response: Response) -> Judgement:
    """Holds if the server answers."""
    evidence = f"GET at the other network's container: {response.summary}"
    return holds_if(response.status == 200, "It does not answer.", evidence)


CLAIM = Claim(
    id="bridges-apart",
    topic=Topic.BRIDGE,
    statement="Containers on different bridge networks cannot reach each other's addresses.",
    source="Docker documentation, “Bridge network driver”; Moby, DOCKER-ISOLATION rules",
    exact="From the machine, and so from host mode, all of them are reachable. Seen on 26.1.5: while another "
    "network is created or removed, connections between two networks succeed for milliseconds; so this claim runs "
    "alone.",
    observe=observe,
    judge=judge,
    lines=(ONE, TWO, SERVER, CLIENT),
    needs=frozenset({Need.ALONE}),
    mutation={"--network {two}": "--network {one}"},
    otherwise=(
        Expectation(
            EngineCondition(iptables=False),
            statement="Containers on different bridge networks reach each other's addresses: no rule separates them.",
            judge=judge_without_iptables,
            mutation={"--network {two}": "--network none"},
        ),
    ),
)
