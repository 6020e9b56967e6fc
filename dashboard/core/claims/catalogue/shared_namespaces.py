"""Claims about a container that joins the network namespace of another one with --network container:.

The container that joins is the guest, the other one is the owner. The claims state what the two share, and what happens
when one of them restarts.
"""

from collections.abc import Mapping

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.extract import describe_inodes
from dashboard.core.claims.judges import judge_refused
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.prepared import prepared
from dashboard.core.claims.testbed import Container, Response, Testbed
from dashboard.core.namespaces.state import NamespaceState

OWNER = "docker run -d --name owner IMAGE sleep 60"
SERVER = "docker run -d --name owner IMAGE"
GUEST = "docker run -d --name guest --network container:{owner} IMAGE sleep 60"
DOCUMENTED = "docker-run(1), --network container:; network_namespaces(7)"
MUTATION = {"--network container:{owner}": "--network bridge"}

Observed = tuple[Mapping[str, int], Mapping[str, int], Mapping[str, int], NamespaceState]


@prepared
async def observe_restart(testbed: Testbed, *, guest_too: bool) -> Observed:
    """Restarts the owner, and then the guest if ``guest_too`` is true. Returns the guest's namespaces after that, the
    owner's namespaces before its restart, those after it, and the guest's network state."""
    owner, guest = await run_lines(testbed, OWNER, GUEST)
    before = await testbed.namespaces(owner)
    owner = await testbed.restart(owner)
    if guest_too:
        guest = await testbed.restart(guest)
    return await testbed.namespaces(guest), before, await testbed.namespaces(owner), await testbed.state(guest)


def _links(state: NamespaceState) -> list[str]:
    return [link.name for link in state.interfaces if link.kind != "loopback"]


def _evidence(observed: Observed) -> tuple[str, ...]:
    guest, before, after, state = observed
    return (
        *describe_inodes("net", {"the guest": guest, "the owner before": before, "the owner after": after}),
        f"interfaces of the guest other than lo: {', '.join(_links(state)) or 'none'}",
    )


def judge_lost(observed: Observed) -> Judgement:
    """The claim holds if the guest is still in the network namespace that the owner had before its restart, and has no
    interface but lo."""
    guest, before, after, state = observed
    proved = guest["net"] == before["net"] != after["net"] and not _links(state)
    return holds_if(proved, "The guest still has a network.", *_evidence(observed))


def judge_healed(observed: Observed) -> Judgement:
    """The claim holds if the guest is in the network namespace that the owner got when it restarted."""
    guest, before, after, _state = observed
    proved = guest["net"] == after["net"] != before["net"]
    return holds_if(proved, "Guest and owner have different namespaces.", *_evidence(observed))


async def observe_without_owner(testbed: Testbed) -> Container:
    """Stops the owner and then creates the guest; returns the guest."""
    (owner,) = await run_lines(testbed, OWNER)
    await testbed.stop(owner)
    return await testbed.try_run(GUEST)


async def observe_loopback(testbed: Testbed) -> tuple[Mapping[str, int], Mapping[str, int], Response]:
    """Sends a request from the guest to 127.0.0.1; returns the namespaces of the owner and of the guest, and the
    response."""
    owner, guest = await run_lines(testbed, SERVER, GUEST)
    await testbed.wait_listening(owner, 80)
    response = await testbed.request(guest, "127.0.0.1", 80)
    return await testbed.namespaces(owner), await testbed.namespaces(guest), response


def judge_loopback(observed: tuple[Mapping[str, int], Mapping[str, int], Response]) -> Judgement:
    """The claim holds if the guest is in the owner's network namespace and the owner's server answers."""
    owner, guest, response = observed
    inodes = describe_inodes("net", {"the owner": owner, "the guest": guest})
    proved = owner["net"] == guest["net"] and response.status == 200
    return holds_if(
        proved, "Guest and owner are isolated from each other.", *inodes, f"GET http://127.0.0.1/: {response.summary}"
    )


CLAIMS = (
    Claim(
        id="guest-loses-network",
        topic=Topic.BRIDGE,
        statement="When the owner of a shared namespace restarts, a container that joined it with --network "
        "container: stays in the old namespace, where only lo is left.",
        source=DOCUMENTED,
        exact="It keeps running and looks healthy in docker ps.",
        observe=observe_restart(guest_too=False),
        judge=judge_lost,
        lines=(OWNER, GUEST, "docker restart owner", "docker exec guest ip address"),
        mutation=MUTATION,
    ),
    Claim(
        id="guest-restart-heals",
        topic=Topic.BRIDGE,
        statement="After the owner restarts, the guest joins the owner's new namespace when it restarts too.",
        source=DOCUMENTED,
        observe=observe_restart(guest_too=True),
        judge=judge_healed,
        lines=(OWNER, GUEST, "docker restart owner", "docker restart guest"),
        mutation=MUTATION,
    ),
    Claim(
        id="guest-needs-owner",
        topic=Topic.BRIDGE,
        statement="A container with --network container: cannot start while the owner is stopped.",
        source=DOCUMENTED,
        observe=observe_without_owner,
        judge=judge_refused,
        lines=(OWNER, GUEST, "docker stop owner", "docker start guest"),
        mutation=MUTATION,
        otherwise=(Expectation(PODMAN, not_testable="Podman starts the owner together with its guest."),),
    ),
    Claim(
        id="container-shares-loopback",
        topic=Topic.BRIDGE,
        statement="--network container: puts two containers in one network namespace: they reach each other at "
        "127.0.0.1.",
        source=DOCUMENTED,
        observe=observe_loopback,
        judge=judge_loopback,
        lines=(SERVER, GUEST),
        mutation=MUTATION,
    ),
)
