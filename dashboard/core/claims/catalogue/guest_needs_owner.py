"""A guest cannot start without its owner."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.judges import judge_refused
from dashboard.core.claims.model import Claim, Expectation, Topic
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Container, Testbed

LINES = (
    "docker run -d --name owner IMAGE sleep 60",
    "docker run -d --name guest --network container:{owner} IMAGE sleep 60",
)


async def observe(testbed: Testbed) -> Container:
    """The guest, created after the owner was stopped."""
    (owner,) = await run_lines(testbed, LINES[0])
    await testbed.stop(owner)
    return await testbed.try_run(LINES[1])


CLAIM = Claim(
    id="guest-needs-owner",
    topic=Topic.BRIDGE,
    statement="A container with --network container: cannot start while the owner is stopped.",
    source="docker-run(1), --network container:; network_namespaces(7)",
    observe=observe,
    judge=judge_refused,
    lines=(
        *LINES,
        "docker stop owner",
        "docker start guest",
    ),
    mutation={"--network container:{owner}": "--network bridge"},
    otherwise=(Expectation(PODMAN, not_testable="Podman starts the owner together with its guest."),),
)
