"""A container in host mode takes a port away from the machine's own services."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Need, Stage, Topic, proves

LINE = "docker run -d --network host IMAGE httpd -f -p 8118"


async def observe(stage: Stage) -> str:
    """What the kernel says to a service of the machine that wants the same port."""
    one = await stage.run(LINE)
    await stage.serving(one, 8118)
    return await stage.serve_on_machine("127.0.0.1", 8118)


def judge(seen: str) -> Judgement:
    """Refused."""
    evidence = f"the machine's own service on port 8118: {seen or 'listens'}"
    return proves("in use" in seen.lower(), "The machine's service got the port.", evidence)


CLAIM = Claim(
    id="host-takes-port",
    topic=Topic.INTERFERENCE,
    statement="A server in host mode takes its port away from the machine's own services.",
    source="Docker documentation, “Host network driver”; bind(2)",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network host": "--network bridge"},
)
