"""A range of ports takes time to publish."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed

LINES = (
    "docker run -d -p 8220:8220 IMAGE sleep 60",
    "docker run -d -p 8230-8259:8230-8259 IMAGE sleep 60",
    "docker run -d -p 8221:8221 IMAGE sleep 60",
    "docker run -d -p 8290-8319:8290-8319 IMAGE sleep 60",
)

Observed = tuple[float, float]


async def observe(testbed: Testbed) -> Observed:
    """The seconds that the Engine took to start a container with one port and with 30; the shorter of two each."""
    first, first_range, second, second_range = await run_lines(testbed, *LINES)
    return min(first.start_s, second.start_s), min(first_range.start_s, second_range.start_s)


def judge(observed: Observed) -> Judgement:
    """Holds if the range took more than twice as long."""
    single, whole = observed
    evidence = (f"start with one port: {single:.2f} s", f"start with the range: {whole:.2f} s")
    return holds_if(whole > 2 * single, "It took less than twice as long.", *evidence)


CLAIM = Claim(
    id="range-time",
    topic=Topic.PUBLISHING,
    statement="A container that publishes 30 ports takes more than twice as long to start as one that publishes "
    "a single port.",
    source="Moby, libnetwork/portmapper; Docker documentation, “Host network driver”",
    exact="The shorter of two starts counts, to limit the effect of a busy machine.",
    observe=observe,
    judge=judge,
    lines=(*LINES,),
    needs=frozenset({Need.MEASURE}),
    mutation={"8230-8259:8230-8259": "8230:8230", "8290-8319:8290-8319": "8290:8290"},
    otherwise=(
        Expectation(EngineCondition(userland_proxy=False), not_testable="This Engine runs without docker-proxy."),
        Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
    ),
)
