"""A guest joins the owner's new namespace when it restarts."""

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
    guest = await testbed.restart(guest)
    return await testbed.namespaces(guest), before, await testbed.namespaces(owner), await testbed.state(guest)


def judge(observed: Observed) -> Judgement:
    """Holds if the guest is in the owner's new namespace."""
    guest, before, after, state = observed
    links = [link.name for link in state.interfaces if link.kind != "loopback"]
    evidence = (
        *describe_inodes("net", {"the guest": guest, "the owner before": before, "the owner after": after}),
        f"interfaces of the guest other than lo: {', '.join(links) or 'none'}",
    )
    return holds_if(guest["net"] == after["net"] != before["net"], "They have different namespaces.", *evidence)


CLAIM = Claim(
    id="guest-restart-heals",
    topic=Topic.BRIDGE,
    statement="After the owner restarts, the guest joins the owner's new namespace when it restarts too.",
    source="docker-run(1), --network container:; network_namespaces(7)",
    observe=observe,
    judge=judge,
    lines=(
        *LINES,
        "docker restart owner",
        "docker restart guest",
    ),
    mutation={"--network container:{owner}": "--network bridge"},
)
