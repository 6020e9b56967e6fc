"""The claim that the name host.docker.internal, mapped to host-gateway, reaches the machine."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.exchanges import run_script
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Response, Testbed

LINES = (
    "python3 -m http.server --bind 0.0.0.0 8195",
    "docker run -d --name client --add-host host.docker.internal:host-gateway IMAGE sleep 60",
)

Observed = tuple[str, Response]


async def observe(testbed: Testbed) -> Observed:
    """Resolves host.docker.internal and sends a request to its address."""
    client = (await run_script(testbed, LINES))["client"]
    found = await testbed.lookup(client, "host.docker.internal")
    address = next(iter(found.answers), "")
    if not address:
        return "", Response(None, error="the name does not resolve")
    return address, await testbed.request(client, address, 8195)


def judge(observed: Observed) -> Judgement:
    """The claim holds if a server of the machine answers."""
    address, response = observed
    evidence = (f"host.docker.internal: {address or 'no address'}", f"GET: {response.summary}")
    return holds_if(response.status == 200, "The service does not answer.", *evidence)


CLAIM = Claim(
    id="internal-name-reaches-machine",
    topic=Topic.DNS,
    statement="With --add-host host.docker.internal:host-gateway a bridge container reaches a service of the "
    "machine by that name, if the service listens on all addresses.",
    source="docker-run(1), --add-host; dockerd(8), --host-gateway-ip",
    observe=observe,
    judge=judge,
    lines=(*LINES, "docker exec client wget -O- http://host.docker.internal:8195/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"0.0.0.0": "127.0.0.1"},  # noqa: S104  the word of a line
    otherwise=(Expectation(PODMAN, not_testable="Podman takes host-gateway from its own configuration."),),
)
