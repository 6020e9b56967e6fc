"""The machine reaches a bridge container at its own address."""

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, holds_if
from dashboard.core.claims.testbed import Response, Testbed
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network bridge IMAGE"

Observed = tuple[Response, str, str]


async def observe(testbed: Testbed) -> Observed:
    """A request to the container's address."""
    container = await testbed.run(LINE)
    await testbed.wait_listening(container, 80)
    if not container.address:
        return Response(None, error="it has no address"), "", ""
    return await testbed.request(MACHINE, container.address, 80), container.address, container.gateway


def judge(observed: Observed) -> Judgement:
    """Holds if the container answers and sees the bridge."""
    response, address, gateway = observed
    evidence = f"GET http://{address}/: {response.summary}"
    proved = response.status == 200 and response.client_seen == gateway
    return holds_if(proved, "It is not reachable that way.", evidence)


CLAIM = Claim(
    id="machine-reaches-bridge",
    topic=Topic.BRIDGE,
    statement="The machine reaches a bridge container at its own address, without -p; the server sees docker0's "
    "address.",
    source="Docker documentation, “Bridge network driver”",
    observe=observe,
    judge=judge,
    lines=(LINE, "curl http://ADDRESS/"),
    otherwise=(
        Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),
        Expectation(
            PODMAN,
            statement="The machine reaches a bridge container at its own address, without -p; the server sees the "
            "address of podman0.",
            judge=judge,
        ),
    ),
    mutation={"--network bridge": "--network none"},
)
