"""In host mode a range costs nothing."""

from __future__ import annotations

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import Listener

LINES = ("docker run -d --network host -p 8200-8219:8200-8219 IMAGE sleep 60",)

#: Listeners on the range, and the memory of their processes in KiB.
Observed = tuple[tuple[Listener, ...], int]


async def observe(testbed: Testbed) -> Observed:
    """The processes that hold the ports of the range, and their memory."""
    await run_lines(testbed, *LINES)
    listeners = (await testbed.state(MACHINE)).listeners
    held = tuple(found for found in listeners if 8200 <= found.port < 8220 and found.process == "docker-proxy")
    return held, await testbed.memory_kib(sorted({found.pid for found in held if found.pid}))


def judge(observed: Observed) -> Judgement:
    """Holds if there is no process."""
    held, memory_kib = observed
    processes = len({found.pid for found in held})
    evidence = (f"docker-proxy processes: {processes}", f"their memory: {memory_kib} KiB")
    return holds_if(processes == 0, "There are processes.", *evidence)


CLAIM = Claim(
    id="range-host-mode",
    topic=Topic.PUBLISHING,
    statement="In host mode a range of ports costs nothing: no docker-proxy process starts and no rule is written.",
    source="Moby, cmd/docker-proxy; Docker documentation, “Host network driver”",
    observe=observe,
    judge=judge,
    lines=(
        *LINES,
        "pgrep -c docker-proxy",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={"docker run -d --network host": "docker run -d"},
    otherwise=(
        Expectation(EngineCondition(userland_proxy=False), not_testable="This Engine runs without docker-proxy."),
        Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
    ),
)
