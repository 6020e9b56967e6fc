"""The claim that --rm removes the container when it stops."""

from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.testbed import Container, Testbed

LINE = "docker run -d --rm --network host IMAGE sleep 60"


async def observe(testbed: Testbed) -> Container:
    """Runs a container with --rm and stops it; returns its state after docker stop."""
    return await testbed.stop(await testbed.run(LINE))


def judge(container: Container) -> Judgement:
    """The claim holds if the container no longer exists."""
    proved = container.status == "gone"
    return holds_if(proved, "The container is still there.", f"after docker stop: {container.status}")


CLAIM = Claim(
    id="rm-removes",
    topic=Topic.LIFECYCLE,
    statement="A container started with --rm is removed when it stops.",
    source="Docker documentation, “Networking using the host network”: stop the container; docker-run(1), --rm",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker stop ID", "docker ps -a"),
    mutation={" --rm": ""},
)
