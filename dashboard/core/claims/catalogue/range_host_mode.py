"""In host mode a range costs nothing."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import Proxies, observe_proxies

LINES = ("docker run -d --network host -p 8200-8219:8200-8219 IMAGE sleep 60",)


def judge(observed: Proxies) -> Judgement:
    """Holds if there is no process."""
    processes, memory_kib = observed
    evidence = (f"docker-proxy processes: {processes}", f"their memory: {memory_kib} KiB")
    return holds_if(processes == 0, "There are processes.", *evidence)


CLAIM = Claim(
    id="range-host-mode",
    topic=Topic.PUBLISHING,
    statement="In host mode a range of ports costs nothing: no docker-proxy process starts and no rule is written.",
    source="Moby, cmd/docker-proxy; Docker documentation, “Host network driver”",
    observe=observe_proxies(*LINES),
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
