"""Launching in host mode adds no interface to the machine."""

from dashboard.core.claims.extract import interface_names
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host IMAGE sleep 60"

Names = tuple[tuple[str, ...], tuple[str, ...]]


async def observe(testbed: Testbed) -> Names:
    """The machine's interfaces before and after."""
    before = interface_names(await testbed.state(MACHINE))
    await testbed.run(LINE)
    return before, interface_names(await testbed.state(MACHINE))


def judge(names: Names) -> Judgement:
    """Holds if the names are the same."""
    before, after = names
    evidence = (f"before: {', '.join(before)}", f"after: {', '.join(after)}")
    new = ", ".join(name for name in after if name not in before)
    return holds_if(set(before) == set(after), f"There is a new interface: {new}.", *evidence)


CLAIM = Claim(
    id="host-no-interface",
    topic=Topic.ISOLATION,
    statement="Launching a container in host mode creates no network interface on the machine.",
    source="Docker documentation, “Networking using the host network”: verify that a new one was not created",
    observe=observe,
    judge=judge,
    lines=("ip -o link", LINE, "ip -o link"),
    needs=frozenset({Need.ALONE}),
    mutation={"--network host": "--network bridge"},
)
