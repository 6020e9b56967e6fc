"""When a container in host mode has stopped its port is free at once."""

from __future__ import annotations

from dashboard.core.claims.extract import holders, say_holders
from dashboard.core.claims.model import Claim, Judgement, Need, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --rm --network host IMAGE httpd -f -p 8120"

Seen = tuple[NamespaceState, NamespaceState, str]


async def observe(stage: Stage) -> Seen:
    """The machine's sockets before and after the stop, and somebody else who wants the port."""
    one = await stage.run(LINE)
    await stage.serving(one, 8120)
    before = await stage.state(MACHINE)
    await stage.stop(one)
    return before, await stage.state(MACHINE), await stage.serve_on_machine("127.0.0.1", 8120)


def judge(seen: Seen) -> Judgement:
    """Held before, free after."""
    before, after, refused = seen
    evidence = (
        f"port 8120 while it ran: {say_holders(holders(before, 8120))}",
        f"after docker stop: {say_holders(holders(after, 8120))}",
        f"the next one that wants it: {refused or 'listens'}",
    )
    if not holders(before, 8120):
        return differs("It did not listen on the machine's port.", *evidence)
    return proves(not holders(after, 8120) and not refused, "The port is still taken.", *evidence)


CLAIM = Claim(
    id="port-free-after-stop",
    topic=Topic.LIFECYCLE,
    statement="When a container in host mode has stopped, its port of the machine is free at once.",
    source="Docker documentation, “Networking using the host network”; listen(2)",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker stop ID", "ss -Hltn 'sport = :8120'"),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network host": "--network bridge"},
)
