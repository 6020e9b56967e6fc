"""A guest loses its network when the owner restarts."""

from collections.abc import Mapping

from dashboard.core.claims.extract import describe_inodes
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed
from dashboard.core.namespaces.state import NamespaceState

LINES = (
    "docker run -d --name owner IMAGE sleep 60",
    "docker run -d --name guest --network container:{owner} IMAGE sleep 60",
)


Observed = tuple[Mapping[str, int], Mapping[str, int], Mapping[str, int], NamespaceState]


async def observe(testbed: Testbed) -> Observed:
    """The guest's namespaces, those of the owner before and after its restart, and the guest's network state."""
    owner, guest = await run_lines(testbed, *LINES)
    before = await testbed.namespaces(owner)
    owner = await testbed.restart(owner)
    return await testbed.namespaces(guest), before, await testbed.namespaces(owner), await testbed.state(guest)


def judge(observed: Observed) -> Judgement:
    """Holds if the guest stays in the old namespace, without interfaces."""
    guest, before, after, state = observed
    links = [link.name for link in state.interfaces if link.kind != "loopback"]
    evidence = (
        *describe_inodes("net", {"the guest": guest, "the owner before": before, "the owner after": after}),
        f"interfaces of the guest other than lo: {', '.join(links) or 'none'}",
    )
    return holds_if(guest["net"] == before["net"] != after["net"] and not links, "It has a network.", *evidence)


CLAIM = Claim(
    id="guest-loses-network",
    topic=Topic.BRIDGE,
    statement="When the owner of a shared namespace restarts, a container that joined it with --network "
    "container: stays in the old namespace, where only lo is left.",
    source="docker-run(1), --network container:; network_namespaces(7)",
    exact="It keeps running and looks healthy in docker ps.",
    observe=observe,
    judge=judge,
    lines=(
        *LINES,
        "docker restart owner",
        "docker exec guest ip address",
    ),
    mutation={"--network container:{owner}": "--network bridge"},
)
