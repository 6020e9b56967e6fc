"""A published port is held by docker-proxy, one process per address family."""

from __future__ import annotations

from dashboard.core.claims.extract import holders, say_holders
from dashboard.core.claims.model import Claim, Judgement, Need, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d -p 8103:80 IMAGE sleep 60"


async def observe(stage: Stage) -> NamespaceState:
    """The machine, after a container with a published port was started."""
    await stage.run(LINE)
    return await stage.state(MACHINE)


def judge(seen: NamespaceState) -> Judgement:
    """docker-proxy for IPv4 and for IPv6."""
    found = holders(seen, 8103)
    evidence = f"the machine's port 8103: {say_holders(found)}"
    if not found or any(one.process != "docker-proxy" for one in found):
        return differs("It is not docker-proxy that listens.", evidence)
    families = {one.family for one in found}
    processes = {one.pid for one in found}
    return proves(len(families) == len(processes) == 2, "It is not one process per address family.", evidence)


CLAIM = Claim(
    id="proxy-listens",
    topic=Topic.PUBLISHING,
    statement="A published port is held on the machine by docker-proxy, one process for IPv4 and one for IPv6.",
    source="Moby, cmd/docker-proxy; ss(8)",
    exact="With --userland-proxy=false dockerd holds the socket itself. Either way the program does not listen there.",
    observe=observe,
    judge=judge,
    lines=(LINE, "ss -Hltnp 'sport = :8103'"),
    needs=frozenset({Need.PRIVATE, Need.IPV6}),
    counter={"-p 8103:80": "-p 127.0.0.1:8103:80"},
)
