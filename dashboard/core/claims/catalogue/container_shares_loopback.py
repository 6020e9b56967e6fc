"""--network container: gives two containers one namespace with one loopback."""

from collections.abc import Mapping

from dashboard.core.claims.extract import describe_inodes
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Response, Testbed

FIRST = "docker run -d --name owner IMAGE"
LINE = "docker run -d --network container:{owner} IMAGE sleep 60"

Observed = tuple[Mapping[str, int], Mapping[str, int], Response]


async def observe(testbed: Testbed) -> Observed:
    """Both namespaces, and a request from the guest to its loopback."""
    owner, guest = await run_lines(testbed, FIRST, LINE)
    await testbed.wait_listening(owner, 80)
    response = await testbed.request(guest, "127.0.0.1", 80)
    return await testbed.namespaces(owner), await testbed.namespaces(guest), response


def judge(observed: Observed) -> Judgement:
    """Holds if the inode is the same and the owner answers."""
    owner, guest, response = observed
    inodes = describe_inodes("net", {"the owner": owner, "the guest": guest})
    proved = owner["net"] == guest["net"] and response.status == 200
    return holds_if(proved, "They are isolated.", *inodes, f"GET http://127.0.0.1/: {response.summary}")


CLAIM = Claim(
    id="container-shares-loopback",
    topic=Topic.BRIDGE,
    statement="--network container: puts two containers in one network namespace: they reach each other at 127.0.0.1.",
    source="docker-run(1), --network container:; network_namespaces(7)",
    observe=observe,
    judge=judge,
    lines=(FIRST, LINE),
    mutation={"--network container:{owner}": "--network bridge"},
)
