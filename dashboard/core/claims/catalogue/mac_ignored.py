"""--mac-address in host mode is accepted and does nothing."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, differs, proves

LINE = "docker run -d --network host --mac-address 02:42:ac:11:00:99 IMAGE sleep 60"

Seen = tuple[Container, tuple[str, ...]]


async def observe(stage: Stage) -> Seen:
    """What becomes of it, and the addresses of its interfaces."""
    one = await stage.run(LINE)
    macs = () if one.refused else tuple(link.mac for link in (await stage.state(one)).interfaces if link.mac)
    return one, macs


def judge(seen: Seen) -> Judgement:
    """Accepted, and nowhere to be found."""
    one, macs = seen
    evidence = (f"docker run: {one.said}", f"hardware addresses: {', '.join(macs) or 'none'}")
    if one.refused:
        return differs("The Engine refused it.", *evidence)
    return proves("02:42:ac:11:00:99" not in macs, "An interface has the address.", *evidence)


CLAIM = Claim(
    id="mac-ignored",
    topic=Topic.WHEN,
    statement="--mac-address in host mode is accepted without a word and has no effect.",
    source="Moby, daemon/container_operations.go",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network host": "--network bridge"},
)
