"""A server in host mode listens on the machine's port at once."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN
from dashboard.core.claims.extract import describe_listeners, listeners_on
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.testbed import Response, Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network host IMAGE"

Observed = tuple[NamespaceState, Response]


async def observe(testbed: Testbed) -> Observed:
    """The machine's sockets, and a request to its port 80."""
    await testbed.run(LINE)
    await testbed.wait_listening(MACHINE, 80)
    return await testbed.state(MACHINE), await testbed.request(MACHINE, "127.0.0.1", 80)


def judge(observed: Observed) -> Judgement:
    """Holds if nginx itself listens and answers."""
    machine, response = observed
    listeners = listeners_on(machine, 80)
    evidence = (
        f"the machine's port 80: {describe_listeners(listeners)}",
        f"GET http://127.0.0.1/: {response.summary}",
    )
    if response.status != 200:
        return differs("Nothing answers on the machine's port 80.", *evidence)
    proved = any(listener.process == "nginx" for listener in listeners)
    return holds_if(proved, "Another process listens.", *evidence)


CLAIM = Claim(
    id="host-port-without-p",
    topic=Topic.PUBLISHING,
    statement="A server in host mode answers on the machine's port 80 without -p: its own process listens there.",
    source="Docker documentation, “Networking using the host network”",
    observe=observe,
    judge=judge,
    lines=(LINE, "curl http://127.0.0.1/", "ss -Hltnp 'sport = :80'"),
    needs=frozenset({Need.PORT_80}),
    mutation={"--network host": "--network bridge"},
    otherwise=(Expectation(ROOTLESS_PODMAN, not_testable="Without root, a program in host mode cannot bind port 80."),),
)
