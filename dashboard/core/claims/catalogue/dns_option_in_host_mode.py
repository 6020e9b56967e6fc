"""--dns works in host mode."""

from __future__ import annotations

from dashboard.core.claims.extract import say_lines, servers_in
from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves

LINE = "docker run -d --network host --dns 192.0.2.99 IMAGE sleep 60"


async def observe(stage: Stage) -> str:
    """The container's file."""
    return await stage.file(await stage.run(LINE), "/etc/resolv.conf")


def judge(seen: str) -> Judgement:
    """The server that was given."""
    evidence = f"resolv.conf in the container: {say_lines(seen)}"
    return proves(servers_in(seen) == ("192.0.2.99",), "The option had no effect.", evidence)


CLAIM = Claim(
    id="dns-option-in-host-mode",
    topic=Topic.DNS,
    statement="--dns works in host mode as elsewhere.",
    source="docker-run(1), --dns",
    exact="Some tutorials say that it is ignored. It is refused with container: only.",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={" --dns 192.0.2.99": ""},
)
