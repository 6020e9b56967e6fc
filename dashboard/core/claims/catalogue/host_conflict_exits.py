"""Two servers on one port in host mode: the second is started, and ends by itself."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Need, Stage, Topic, differs, proves

LINE = "docker run -d --network host IMAGE httpd -f -p 8113"


async def observe(stage: Stage) -> Container:
    """The second of two."""
    one = await stage.run(LINE)
    await stage.serving(one, 8113)
    return await stage.ended(await stage.run(LINE), within_s=2)


def judge(seen: Container) -> Judgement:
    """The Engine said yes, the kernel no."""
    evidence = (f"docker run: {'refused' if seen.refused else 'accepted'}", f"afterwards: {seen.said}")
    if seen.refused:
        return differs("The Engine refused it.", *evidence)
    said = any("in use" in line.lower() for line in seen.logs)
    return proves(seen.status == "exited" and said, "The second server runs too.", *evidence)


CLAIM = Claim(
    id="host-conflict-exits",
    topic=Topic.INTERFERENCE,
    statement="Two servers on one port in host mode: docker run succeeds for the second as well, then it exits with its"
    " own “Address already in use”.",
    source="Docker documentation, “Host network driver”; bind(2), EADDRINUSE",
    exact="The Engine checks nothing in host mode: look at docker ps -a and docker logs, not at the exit code of "
    "docker run -d.",
    observe=observe,
    judge=judge,
    lines=(LINE, LINE),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network host": "--network bridge"},
)
