"""A server in host mode answers at every address of the machine."""

from __future__ import annotations

from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host -e NETMODES_PORT=8101 IMAGE"

Seen = tuple[Answer, Answer]


async def observe(stage: Stage) -> Seen:
    """At loopback and at the machine's address on its network."""
    one = await stage.run(LINE)
    await stage.serving(one, 8101)
    return await stage.request(MACHINE, "127.0.0.1", 8101), await stage.request(MACHINE, "{machine}", 8101)


def judge(seen: Seen) -> Judgement:
    """Both answer."""
    here, outside = seen
    evidence = (f"GET http://127.0.0.1:8101/: {here.said}", f"GET at the machine's own address: {outside.said}")
    return proves(here.status == outside.status == 200, "It does not answer everywhere.", *evidence)


CLAIM = Claim(
    id="host-every-address",
    topic=Topic.PUBLISHING,
    statement="A server in host mode that binds to all addresses is reachable at every address of the machine, also "
    "from outside.",
    source="Docker documentation, “Host network driver”",
    exact="-p 127.0.0.1:8080:80 has no counterpart in host mode: the program itself must bind to 127.0.0.1.",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE}),
    counter={"-e NETMODES_PORT=8101": "-e NETMODES_PORT=8101 -e NETMODES_ADDRESS=127.0.0.1"},
)
