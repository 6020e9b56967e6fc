"""Containers can share an alias."""

from dashboard.core.claims.judges import describe_lookup
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed
from dashboard.core.namespaces.state import Lookup

LINES = (
    "docker network create lab",
    "docker run -d --network {lab} --network-alias api IMAGE sleep 60",
    "docker run -d --network {lab} --network-alias api --name second IMAGE sleep 60",
)

Observed = tuple[Lookup, set[str]]


async def observe(testbed: Testbed) -> Observed:
    """The lookup, and the addresses of both containers."""
    first, second = await run_lines(testbed, *LINES)
    return await testbed.lookup(second, "api"), {first.address, second.address}


def judge(observed: Observed) -> Judgement:
    """Holds if the name has both addresses."""
    lookup, addresses = observed
    evidence = (describe_lookup(lookup), f"addresses of the containers: {', '.join(sorted(addresses))}")
    return holds_if(set(lookup.answers) == addresses, "It does not have both addresses.", *evidence)


CLAIM = Claim(
    id="alias-of-several",
    topic=Topic.DNS,
    statement="Containers with the same --network-alias share the name: a lookup returns all their addresses.",
    source="docker-run(1), --network-alias",
    observe=observe,
    judge=judge,
    lines=(*LINES, "docker exec second nslookup api"),
    mutation={"--network-alias api --name second": "--name second"},
)
