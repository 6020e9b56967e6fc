"""Bridge mode does not reach a service that the machine binds to 127.0.0.1."""

from collections.abc import Mapping

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Response, Testbed

LINE = "docker run -d --network bridge IMAGE sleep 60"


async def observe(testbed: Testbed) -> Mapping[str, Response]:
    """Requests from the container to every address that might lead there."""
    await testbed.serve_on_machine("127.0.0.1", 8116)
    container = await testbed.run(LINE)
    addresses = {"its own loopback": "127.0.0.1", "the machine's address": "{machine}"}
    if container.gateway:
        addresses["the gateway"] = container.gateway
    return {name: await testbed.request(container, address, 8116) for name, address in addresses.items()}


def judge(responses: Mapping[str, Response]) -> Judgement:
    """Holds if no address accepts."""
    evidence = [f"GET at {name}: {response.summary}" for name, response in responses.items()]
    connected = any(response.connected for response in responses.values())
    return holds_if(not connected, "The service is reachable.", *evidence)


CLAIM = Claim(
    id="loopback-not-from-bridge",
    topic=Topic.INTERFERENCE,
    statement="A container in bridge mode cannot reach a service that the machine binds to 127.0.0.1, by any address.",
    source="network_namespaces(7)",
    exact="Bind it to the gateway's address as well, or use host.docker.internal with a service that listens there.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID wget -qO- http://127.0.0.1:8116/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network bridge": "--network host"},
)
