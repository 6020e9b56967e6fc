"""In bridge mode a program without rights binds a low port."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Need, Stage, Topic, proves

LINE = "docker run -d --network bridge --user 1000:1000 --cap-drop ALL IMAGE httpd -f -p 81"

Seen = tuple[bool, Container]


async def observe(stage: Stage) -> Seen:
    """Whether it listens, and what became of it."""
    one = await stage.run(LINE)
    return await stage.serving(one, 81), await stage.again(one)


def judge(seen: Seen) -> Judgement:
    """It listens."""
    listens, one = seen
    evidence = (f"port 81 is listened on: {'yes' if listens else 'no'}", f"the container: {one.said}")
    return proves(listens and one.status == "running", "It could not bind the port.", *evidence)


CLAIM = Claim(
    id="low-port-in-bridge",
    topic=Topic.WHEN,
    statement="In bridge mode a program without root and capabilities binds port 81: the Engine sets "
    "ip_unprivileged_port_start=0 there.",
    source="Moby, daemon/daemon_unix.go (since 20.10); ip(7)",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network bridge": "--network host"},
)
