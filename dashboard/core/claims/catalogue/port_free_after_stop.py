"""When a container in host mode stops, its port is free at once."""

from dashboard.core.claims.extract import describe_listeners, listeners_on
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --rm --network host IMAGE httpd -f -p 8120"

Observed = tuple[NamespaceState, NamespaceState, str]


async def observe(testbed: Testbed) -> Observed:
    """The machine's sockets before and after the stop, and the next server on the port."""
    container = await testbed.run(LINE)
    await testbed.wait_listening(container, 8120)
    before = await testbed.state(MACHINE)
    await testbed.stop(container)
    return before, await testbed.state(MACHINE), await testbed.serve_on_machine("127.0.0.1", 8120)


def judge(observed: Observed) -> Judgement:
    """Holds if the port is held before and free after."""
    before, after, refusal = observed
    evidence = (
        f"port 8120 while it ran: {describe_listeners(listeners_on(before, 8120))}",
        f"after docker stop: {describe_listeners(listeners_on(after, 8120))}",
        f"the next server on the port: {refusal or 'listens'}",
    )
    if not listeners_on(before, 8120):
        return differs("It did not listen on the machine's port.", *evidence)
    return holds_if(not listeners_on(after, 8120) and not refusal, "The port is still taken.", *evidence)


CLAIM = Claim(
    id="port-free-after-stop",
    topic=Topic.LIFECYCLE,
    statement="When a container in host mode stops, its port on the machine is free at once.",
    source="Docker documentation, “Networking using the host network”; listen(2)",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker stop ID", "ss -Hltn 'sport = :8120'"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network bridge"},
)
