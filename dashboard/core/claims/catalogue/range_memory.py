"""Each published port costs memory."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import Proxies, observe_proxies

LINES = ("docker run -d -p 8200-8219:8200-8219 IMAGE sleep 60",)


def judge(observed: Proxies) -> Judgement:
    """Holds if a port costs more than 1024 KiB."""
    processes, memory_kib = observed
    evidence = (f"docker-proxy processes for 20 ports: {processes}", f"their memory: {memory_kib} KiB")
    return holds_if(memory_kib > 20 * 1024, "It is less.", *evidence)


CLAIM = Claim(
    id="range-memory",
    topic=Topic.PUBLISHING,
    statement="Each published port costs memory: its docker-proxy processes hold more than a megabyte.",
    source="Moby, cmd/docker-proxy; Docker documentation, “Host network driver”",
    exact="Pss: shared pages are divided among the processes that map them. A range of 10,000 ports needs "
    "tens of gigabytes.",
    observe=observe_proxies(*LINES),
    judge=judge,
    lines=(
        *LINES,
        "grep Pss /proc/PID/smaps_rollup",
    ),
    needs=frozenset({Need.ALONE, Need.IPV6}),
    mutation={"docker run -d -p": "docker run -d --network host -p"},
    otherwise=(
        Expectation(EngineCondition(userland_proxy=False), not_testable="This Engine runs without docker-proxy."),
        Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
    ),
)
