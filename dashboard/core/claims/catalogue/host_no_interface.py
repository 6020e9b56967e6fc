"""Launching in host mode adds no interface to the machine."""

from __future__ import annotations

from dashboard.core.claims.extract import names_of
from dashboard.core.claims.model import Claim, Judgement, Need, Stage, Topic, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host IMAGE sleep 60"

Names = tuple[tuple[str, ...], tuple[str, ...]]


async def observe(stage: Stage) -> Names:
    """The machine's interfaces before and after."""
    before = names_of(await stage.state(MACHINE))
    await stage.run(LINE)
    return before, names_of(await stage.state(MACHINE))


def judge(seen: Names) -> Judgement:
    """The same names."""
    before, after = seen
    evidence = (f"before: {', '.join(before)}", f"after: {', '.join(after)}")
    new = ", ".join(name for name in after if name not in before)
    return proves(set(before) == set(after), f"There is a new interface: {new}.", *evidence)


CLAIM = Claim(
    id="host-no-interface",
    topic=Topic.ISOLATION,
    statement="Launching a container in host mode makes no new network interface on the machine.",
    source="Docker documentation, “Networking using the host network”: verify that a new one was not created",
    observe=observe,
    judge=judge,
    lines=("ip -o link", LINE, "ip -o link"),
    needs=frozenset({Need.ALONE}),
    counter={"--network host": "--network bridge"},
)
