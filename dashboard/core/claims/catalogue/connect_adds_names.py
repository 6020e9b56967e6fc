"""docker network connect makes names resolve at once."""

from dashboard.core.claims.judges import describe_lookup
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed
from dashboard.core.namespaces.state import Lookup

LINES = (
    "docker network create lab",
    "docker network create other",
    "docker run -d --name web --network {lab} IMAGE sleep 60",
    "docker run -d --name client --network {other} IMAGE sleep 60",
)
CONNECT = "docker network connect {lab} client"

Observed = tuple[Lookup, Lookup, str]


async def observe(testbed: Testbed) -> Observed:
    """A lookup before and after the connection, and the refusal if there is one."""
    _web, client = await run_lines(testbed, *LINES)
    before = await testbed.lookup(client, "{web}")
    refusal = await testbed.connect_network(CONNECT.split()[3], client)
    return before, await testbed.lookup(client, "{web}"), refusal


def judge(observed: Observed) -> Judgement:
    """Holds if the name resolves only after the connection."""
    before, after, refusal = observed
    evidence = (
        f"before, {describe_lookup(before)}",
        f"docker network connect: {refusal or 'accepted'}",
        f"after, {describe_lookup(after)}",
    )
    return holds_if(not before.answers and bool(after.answers), "The connection made no difference.", *evidence)


CLAIM = Claim(
    id="connect-adds-names",
    topic=Topic.DNS,
    statement="docker network connect lets a running container resolve the names on the network at once, without a "
    "restart.",
    source="Docker documentation, “Bridge network driver”",
    observe=observe,
    judge=judge,
    lines=(*LINES, CONNECT, "docker exec client nslookup web"),
    mutation={"--name web --network {lab}": "--name web --network bridge"},
)
