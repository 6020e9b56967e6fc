"""Without -p a server in bridge mode is not on the machine's ports."""

from __future__ import annotations

from dashboard.core.claims.extract import holders, say_holders
from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network bridge IMAGE"

Seen = tuple[NamespaceState, Answer]


async def observe(stage: Stage) -> Seen:
    """Nginx in bridge mode; the machine's port 80 and the container's own."""
    one = await stage.run(LINE)
    await stage.serving(one, 80)
    return await stage.state(MACHINE), await stage.request(MACHINE, one.address, 80)


def judge(seen: Seen) -> Judgement:
    """Nobody on the machine's port, an answer at the container's address."""
    machine, answer = seen
    found = holders(machine, 80)
    evidence = (f"the machine's port 80: {say_holders(found)}", f"GET at the container's address: {answer.said}")
    if found:
        return differs("Somebody listens on the machine's port 80.", *evidence)
    return proves(answer.status == 200, "The container's own address does not answer.", *evidence)


CLAIM = Claim(
    id="bridge-needs-p",
    topic=Topic.PUBLISHING,
    statement="In bridge mode a server without -p is not on the machine's ports, but answers at the container's "
    "address.",
    source="Docker documentation, “Port publishing and mapping”",
    exact="“Not reachable” is said of others: from the machine itself the container's address always answers.",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PORT_80}),
    counter={"--network bridge": "--network bridge -p 80:80"},
)
