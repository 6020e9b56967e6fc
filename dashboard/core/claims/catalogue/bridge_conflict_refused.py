"""Two containers on one published port: the Engine refuses the second."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Need, Stage, Topic, proves

LINE = "docker run -d -p 8114:80 IMAGE sleep 60"


async def observe(stage: Stage) -> Container:
    """The second of two."""
    await stage.run(LINE)
    return await stage.run(LINE)


def judge(seen: Container) -> Judgement:
    """Refused at start, and left as created."""
    evidence = (f"docker run: {seen.said}", f"state of the second container: {seen.status}")
    proved = seen.refused_at == "start" and seen.status == "created"
    return proves(proved, "The Engine did not refuse it at start.", *evidence)


CLAIM = Claim(
    id="bridge-conflict-refused",
    topic=Topic.INTERFERENCE,
    statement="Two containers on one published port: the Engine refuses to start the second, and it stays Created.",
    source="Moby, libnetwork/portallocator",
    observe=observe,
    judge=judge,
    lines=(LINE, LINE),
    needs=frozenset({Need.PRIVATE}),
    counter={"-p 8114:80": "-p 80"},
)
