"""--mac-address in host mode is accepted and has no effect."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Topic, differs, holds_if
from dashboard.core.claims.testbed import Container, Testbed

LINE = "docker run -d --network host --mac-address 02:42:ac:11:00:99 IMAGE sleep 60"

Observed = tuple[Container, tuple[str, ...]]


async def observe(testbed: Testbed) -> Observed:
    """The container, and the hardware addresses of its interfaces."""
    container = await testbed.run(LINE)
    if container.refused:
        return container, ()
    return container, tuple(link.mac for link in (await testbed.state(container)).interfaces if link.mac)


def judge(observed: Observed) -> Judgement:
    """Holds if the option is accepted and no interface has the address."""
    container, macs = observed
    evidence = (f"docker run: {container.summary}", f"hardware addresses: {', '.join(macs) or 'none'}")
    if container.refused:
        return differs("The Engine refused it.", *evidence)
    return holds_if("02:42:ac:11:00:99" not in macs, "An interface has the address.", *evidence)


CLAIM = Claim(
    id="mac-ignored",
    topic=Topic.WHEN,
    statement="--mac-address in host mode is silently accepted and has no effect.",
    source="Moby, daemon/container_operations.go",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    mutation={"--network host": "--network bridge"},
)
