"""A range of ports takes time to publish."""

from __future__ import annotations

from datetime import datetime

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Container, Testbed

LINES = (
    "docker run -d -p 8220:8220 IMAGE sleep 60",
    "docker run -d -p 8230-8289:8230-8289 IMAGE sleep 60",
)

Observed = tuple[float, float]


async def observe(testbed: Testbed) -> Observed:
    """How long each start took, in seconds: from the creation to the start that the Engine recorded."""
    one, many = await run_lines(testbed, *LINES)
    return start_seconds(one), start_seconds(many)


def start_seconds(container: Container) -> float:
    """The time between ``Created`` and ``State.StartedAt``."""
    created, started = (
        datetime.fromisoformat(str(container.setting(*path))) for path in (("Created",), ("State", "StartedAt"))
    )
    return (started - created).total_seconds()


def judge(observed: Observed) -> Judgement:
    """Holds if the second took more than three times as long."""
    one, many = observed
    evidence = (f"start with the first line: {one:.2f} s", f"start with the second line: {many:.2f} s")
    return holds_if(many > 3 * one, "It took less than three times as long.", *evidence)


CLAIM = Claim(
    id="range-time",
    topic=Topic.PUBLISHING,
    statement="A container that publishes 60 ports takes more than three times as long to start as one that "
    "publishes a single port.",
    source="Moby, libnetwork/portmapper; Docker Engine API, ContainerInspect",
    observe=observe,
    judge=judge,
    lines=(
        *LINES,
        "docker inspect ID",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={"8230-8289:8230-8289": "8230:8230"},
    otherwise=(
        Expectation(EngineCondition(userland_proxy=False), not_testable="This Engine runs without docker-proxy."),
        Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
    ),
)
