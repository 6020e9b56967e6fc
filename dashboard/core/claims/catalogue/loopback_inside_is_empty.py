"""The claim that a request to a program bound to 127.0.0.1 in a bridge container connects but gets no response."""

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, EngineCondition
from dashboard.core.claims.extract import describe_listeners, listeners_on
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.testbed import Response, Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d -p 8109:80 -e NETMODES_ADDRESS=127.0.0.1 IMAGE"

Observed = tuple[Response, NamespaceState]


async def observe(testbed: Testbed) -> Observed:
    """Sends a request to the published port; returns the response and the state of the container."""
    container = await testbed.run(LINE)
    await testbed.wait_listening(container, 80)
    return await testbed.request(MACHINE, "127.0.0.1", 8109), await testbed.state(container)


def _evidence(observed: Observed) -> tuple[str, str]:
    response, inside = observed
    return (
        f"the container's port 80: {describe_listeners(listeners_on(inside, 80))}",
        f"GET http://127.0.0.1:8109/: {response.summary}",
    )


def judge(observed: Observed) -> Judgement:
    """The claim holds if docker-proxy accepts the connection and there is no response."""
    response, _inside = observed
    evidence = _evidence(observed)
    if not response.connected:
        return differs("The connection is refused.", *evidence)
    return holds_if(response.status is None, "The server answers.", *evidence)


def judge_without_proxy(observed: Observed) -> Judgement:
    """The claim holds if the connection is refused."""
    return holds_if(not observed[0].connected, "The port accepts the connection.", *_evidence(observed))


CLAIM = Claim(
    id="loopback-inside-is-empty",
    topic=Topic.PUBLISHING,
    statement="A program that binds to 127.0.0.1 inside a bridge container is unreachable through -p: docker-proxy "
    "accepts the connection, and the response is empty.",
    source="Docker documentation, “Port publishing and mapping”; Moby, cmd/docker-proxy",
    exact="127.0.0.1 inside is the container's own loopback. It looks as if the server crashed, but it did not.",
    observe=observe,
    judge=judge,
    lines=(LINE, "curl http://127.0.0.1:8109/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={" -e NETMODES_ADDRESS=127.0.0.1": ""},
    otherwise=(
        Expectation(
            ROOTLESS_PODMAN,
            statement="A program that binds to 127.0.0.1 inside a bridge container is unreachable through -p: "
            "rootlessport accepts the connection, and the response is empty.",
            judge=judge,
        ),
        Expectation(
            PODMAN,
            statement="A program that binds to 127.0.0.1 inside a bridge container is unreachable through -p: the "
            "connection is refused.",
            judge=judge_without_proxy,
        ),
        Expectation(
            EngineCondition(userland_proxy=False),
            statement="A program that binds to 127.0.0.1 inside a bridge container is unreachable through -p: the "
            "connection is refused.",
            judge=judge_without_proxy,
            exact="127.0.0.1 inside is the container's own loopback: the translated packets arrive at its eth0.",
        ),
    ),
)
