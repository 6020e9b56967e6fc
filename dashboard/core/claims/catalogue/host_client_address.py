"""In host mode the server sees the real client."""

from __future__ import annotations

from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host -e NETMODES_PORT=8107 IMAGE"


async def observe(stage: Stage) -> Answer:
    """A request at loopback."""
    await stage.run(LINE)
    await stage.serving(MACHINE, 8107)
    return await stage.request(MACHINE, "127.0.0.1", 8107)


def judge(seen: Answer) -> Judgement:
    """127.0.0.1 is who asked."""
    evidence = f"GET http://127.0.0.1:8107/: {seen.said}"
    return proves(seen.client_seen == "127.0.0.1", "The server sees somebody else.", evidence)


CLAIM = Claim(
    id="host-client-address",
    topic=Topic.PUBLISHING,
    statement="In host mode the server sees its real client: 127.0.0.1 for a request from the machine itself.",
    source="Docker documentation, “Host network driver”: no NAT and no proxy",
    observe=observe,
    judge=judge,
    lines=(LINE, "curl http://127.0.0.1:8107/"),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network host -e NETMODES_PORT=8107": "-p 8107:80"},
)
