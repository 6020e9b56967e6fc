"""The claim that a program waits for an interface that never appears."""

from dashboard.core.claims.extract import interface_names
from dashboard.core.claims.model import Claim, Judgement, Topic, differs, holds_if
from dashboard.core.claims.testbed import Container, Testbed
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network none IMAGE sh -c 'until ip link show eth0; do usleep 200000; done; exec httpd -f -p 80'"

Observed = tuple[NamespaceState, bool, Container]


async def observe(testbed: Testbed) -> Observed:
    """Returns the network state of the container, whether its program listens within three seconds, and what ``docker
    inspect`` then returns."""
    container = await testbed.run(LINE)
    state = await testbed.state(container)
    return state, await testbed.wait_listening(container, 80), await testbed.inspect(container)


def judge(observed: Observed) -> Judgement:
    """The claim holds if the container runs and does not listen on port 80."""
    state, serves, container = observed
    evidence = (
        f"interfaces in the container: {', '.join(interface_names(state))}",
        f"state of the container: {container.summary}",
        f"port 80 after three seconds: {'listening' if serves else 'not listening'}",
    )
    if container.status != "running":
        return differs("The container does not run.", *evidence)
    return holds_if(not serves, "The program found its interface.", *evidence)


CLAIM = Claim(
    id="waits-for-eth0",
    topic=Topic.BRIDGE,
    statement="With --network none a program that waits for eth0 waits forever, and docker ps shows it as running.",
    source="Docker documentation, “None network driver”",
    exact="In host mode eth0 is the machine's, if the machine has an interface of that name: the program then uses "
    "the machine's address as its own.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID ip link"),
    mutation={"--network none": "--network bridge"},
)
