"""Without docker-proxy the Engine holds the socket."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.extract import describe_listeners, listeners_on
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINES = ("docker run -d -p 8193:80 IMAGE sleep 60",)
DAEMON = "dockerd --userland-proxy=false"


async def observe(testbed: Testbed) -> NamespaceState:
    """The machine of an engine without docker-proxy."""
    engine = await testbed.start_engine(DAEMON)
    await run_lines(engine, *LINES)
    return await engine.state(MACHINE)


def judge(machine: NamespaceState) -> Judgement:
    """Holds if only dockerd listens."""
    listeners = listeners_on(machine, 8193)
    evidence = f"the machine's port 8193: {describe_listeners(listeners)}"
    proved = bool(listeners) and all(listener.process == "dockerd" for listener in listeners)
    return holds_if(proved, "dockerd is not the only listener.", evidence)


CLAIM = Claim(
    id="proxy-off-dockerd",
    topic=Topic.PUBLISHING,
    statement="With userland-proxy=false no docker-proxy runs: dockerd itself holds the socket of a published port.",
    source="dockerd(8), --userland-proxy; Moby, libnetwork/portmapper",
    observe=observe,
    judge=judge,
    lines=(*LINES, DAEMON, "ss -Hltnp 'sport = :8193'"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"--userland-proxy=false": "--userland-proxy=true"},
    otherwise=(Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),),
)
