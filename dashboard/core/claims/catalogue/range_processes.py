"""Each published port starts two processes."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import Proxies, observe_proxies

LINES = ("docker run -d -p 8200-8219:8200-8219 IMAGE sleep 60",)


def judge(observed: Proxies) -> Judgement:
    """Holds if there are 40 processes."""
    processes, memory_kib = observed
    evidence = (f"docker-proxy processes for 20 ports: {processes}", f"their memory: {memory_kib} KiB")
    return holds_if(processes == 40, "There are not 40 processes.", *evidence)


CLAIM = Claim(
    id="range-processes",
    topic=Topic.PUBLISHING,
    statement="A published range of 20 ports starts 40 processes: docker-proxy for each port, for IPv4 and for IPv6.",
    source="Moby, cmd/docker-proxy; Docker documentation, “Host network driver”",
    observe=observe_proxies(*LINES),
    judge=judge,
    lines=(
        *LINES,
        "pgrep -c docker-proxy",
    ),
    needs=frozenset({Need.ALONE, Need.IPV6}),
    mutation={"docker run -d -p": "docker run -d --network host -p"},
    otherwise=(
        Expectation(EngineCondition(userland_proxy=False), not_testable="This Engine runs without docker-proxy."),
        Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
    ),
)
