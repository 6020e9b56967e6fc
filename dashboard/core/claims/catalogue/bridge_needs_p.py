"""Without -p a server in bridge mode is not on the machine's ports."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.extract import describe_listeners, listeners_on
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.testbed import Response, Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network bridge IMAGE"

Observed = tuple[NamespaceState, Response]


async def observe(testbed: Testbed) -> Observed:
    """The machine's sockets, and a request to the container's own address."""
    container = await testbed.run(LINE)
    await testbed.wait_listening(container, 80)
    return await testbed.state(MACHINE), await testbed.request(MACHINE, container.address, 80)


def judge(observed: Observed) -> Judgement:
    """Holds if the machine's port is free and the container's address answers."""
    machine, response = observed
    listeners = listeners_on(machine, 80)
    evidence = (
        f"the machine's port 80: {describe_listeners(listeners)}",
        f"GET at the container's address: {response.summary}",
    )
    if listeners:
        return differs("A process listens on the machine's port 80.", *evidence)
    return holds_if(response.status == 200, "The container's own address does not answer.", *evidence)


CLAIM = Claim(
    id="bridge-needs-p",
    topic=Topic.PUBLISHING,
    statement="Without -p a server in bridge mode is not on the machine's ports, but answers at the container's "
    "address.",
    source="Docker documentation, “Port publishing and mapping”",
    exact="“Not reachable” means from other machines: from the machine itself the container's address always answers.",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PORT_80}),
    mutation={"--network bridge": "--network bridge -p 80:80"},
    otherwise=(Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),),
)
