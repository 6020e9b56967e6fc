"""Two containers in bridge mode may listen on the same port."""

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Container, Testbed

LINE = "docker run -d --network bridge IMAGE httpd -f -p 8117"

Pair = tuple[Container, Container]


async def observe(testbed: Testbed) -> Pair:
    """Two servers on one port number."""
    first = await testbed.run(LINE)
    await testbed.wait_listening(first, 8117)
    second = await testbed.run(LINE)
    await testbed.wait_listening(second, 8117)
    return await testbed.inspect(first), await testbed.inspect(second)


def judge(pair: Pair) -> Judgement:
    """Holds if both run, each at its own address."""
    evidence = [f"{container.address or 'no address'}:8117: {container.summary}" for container in pair]
    addresses = {container.address for container in pair if container.status == "running" and container.address}
    return holds_if(len(addresses) == len(pair), "They do not both run, each at its own address.", *evidence)


CLAIM = Claim(
    id="bridge-same-port",
    topic=Topic.INTERFERENCE,
    statement="In bridge mode any number of containers can listen on the same port: each has its own.",
    source="Docker documentation, “Bridge network driver”; network_namespaces(7)",
    observe=observe,
    judge=judge,
    lines=(LINE, LINE),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network bridge": "--network host"},
)
