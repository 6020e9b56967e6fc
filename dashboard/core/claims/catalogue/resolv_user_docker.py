"""User-defined network: Docker's resolver."""

from __future__ import annotations

from dashboard.core.claims.extract import say_lines, servers_in
from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves

NETWORK = "docker network create lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"


async def observe(stage: Stage) -> str:
    """The container's file."""
    await stage.network(NETWORK)
    return await stage.file(await stage.run(LINE), "/etc/resolv.conf")


def judge(seen: str) -> Judgement:
    """127.0.0.11 and nothing else."""
    evidence = f"resolv.conf in the container: {say_lines(seen)}"
    proved = servers_in(seen) == ("127.0.0.11",) and "ndots:0" in seen
    return proves(proved, "It is not Docker's resolver.", evidence)


CLAIM = Claim(
    id="resolv-user-docker",
    topic=Topic.DNS,
    statement="On a user-defined network, and only there, resolv.conf names Docker's own resolver: "
    "127.0.0.11, ndots:0.",
    source="Docker documentation, “Networking overview”, DNS services",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE, "docker exec ID cat /etc/resolv.conf"),
    counter={"--network {lab}": "--network bridge"},
)
