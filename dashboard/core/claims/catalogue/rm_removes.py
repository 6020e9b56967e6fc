"""--rm removes the container when it stops."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, proves

LINE = "docker run -d --rm --network host IMAGE sleep 60"


async def observe(stage: Stage) -> Container:
    """The container after docker stop."""
    return await stage.stop(await stage.run(LINE))


def judge(seen: Container) -> Judgement:
    """Gone."""
    return proves(seen.status == "gone", "The container is still there.", f"after docker stop: {seen.status}")


CLAIM = Claim(
    id="rm-removes",
    topic=Topic.LIFECYCLE,
    statement="A container that was started with --rm is removed when it stops.",
    source="Docker documentation, “Networking using the host network”: stop the container; docker-run(1), --rm",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker stop ID", "docker ps -a"),
    counter={" --rm": ""},
)
