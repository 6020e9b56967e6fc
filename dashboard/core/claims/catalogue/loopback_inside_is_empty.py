"""A program bound to 127.0.0.1 in a bridge container: connected, then nothing."""

from __future__ import annotations

from dashboard.core.claims.extract import holders, say_holders
from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d -p 8109:80 -e NETMODES_ADDRESS=127.0.0.1 IMAGE"

Seen = tuple[Answer, NamespaceState]


async def observe(stage: Stage) -> Seen:
    """A request at the published port; who listens in the container."""
    one = await stage.run(LINE)
    await stage.serving(one, 80)
    return await stage.request(MACHINE, "127.0.0.1", 8109), await stage.state(one)


def judge(seen: Seen) -> Judgement:
    """docker-proxy accepts, the program is not reached."""
    answer, inside = seen
    evidence = (
        f"the container's port 80: {say_holders(holders(inside, 80))}",
        f"GET http://127.0.0.1:8109/: {answer.said}",
    )
    if not answer.connected:
        return differs("Nobody accepts the connection.", *evidence)
    return proves(answer.status is None, "The server answers.", *evidence)


CLAIM = Claim(
    id="loopback-inside-is-empty",
    topic=Topic.PUBLISHING,
    statement="A program that binds to 127.0.0.1 inside a bridge container is not reached through -p: the connection is"
    " accepted by docker-proxy, and the answer is empty.",
    source="Docker documentation, “Port publishing and mapping”; Moby, cmd/docker-proxy",
    exact="127.0.0.1 inside is the container's own loopback. It looks like a crash of the server and is none.",
    observe=observe,
    judge=judge,
    lines=(LINE, "curl http://127.0.0.1:8109/"),
    needs=frozenset({Need.PRIVATE}),
    counter={" -e NETMODES_ADDRESS=127.0.0.1": ""},
)
