"""A server in host mode is on the machine's port at once."""

from __future__ import annotations

from dashboard.core.claims.extract import holders, say_holders
from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network host IMAGE"

Seen = tuple[NamespaceState, Answer]


async def observe(stage: Stage) -> Seen:
    """Nginx in host mode; who listens on port 80, and what it answers."""
    await stage.run(LINE)
    await stage.serving(MACHINE, 80)
    return await stage.state(MACHINE), await stage.request(MACHINE, "127.0.0.1", 80)


def judge(seen: Seen) -> Judgement:
    """The program itself listens and answers."""
    machine, answer = seen
    found = holders(machine, 80)
    evidence = (f"the machine's port 80: {say_holders(found)}", f"GET http://127.0.0.1/: {answer.said}")
    if answer.status != 200:
        return differs("Nothing answers on the machine's port 80.", *evidence)
    return proves(any(one.process == "nginx" for one in found), "It is not the program itself that listens.", *evidence)


CLAIM = Claim(
    id="host-port-without-p",
    topic=Topic.PUBLISHING,
    statement="A server in host mode answers on the machine's port 80 without -p: its own process listens there.",
    source="Docker documentation, “Networking using the host network”",
    observe=observe,
    judge=judge,
    lines=(LINE, "curl http://127.0.0.1/", "ss -Hltnp 'sport = :80'"),
    needs=frozenset({Need.PORT_80}),
    counter={"--network host": "--network bridge"},
)
