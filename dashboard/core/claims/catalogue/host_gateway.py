"""host-gateway is the default bridge's address, in host mode too."""

from __future__ import annotations

from dashboard.core.claims.extract import names_in
from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves

FIRST = "docker run -d --network bridge IMAGE sleep 60"
LINE = "docker run -d --network host --add-host host.docker.internal:host-gateway IMAGE sleep 60"

Seen = tuple[str, str]


async def observe(stage: Stage) -> Seen:
    """The default bridge's gateway, and the hosts file."""
    neighbour = await stage.run(FIRST)
    return neighbour.gateway, await stage.file(await stage.run(LINE), "/etc/hosts")


def judge(seen: Seen) -> Judgement:
    """The name has the gateway's address."""
    gateway, hosts = seen
    found = names_in(hosts).get("host.docker.internal", "nothing")
    evidence = f"host.docker.internal is {found}; the default bridge's gateway is {gateway}"
    return proves(found == gateway, "It is another address.", evidence)


CLAIM = Claim(
    id="host-gateway",
    topic=Topic.DNS,
    statement="host.docker.internal:host-gateway is the address of the default bridge, in host mode too.",
    source="docker-run(1), --add-host; dockerd(8), --host-gateway-ip",
    exact="It is not 127.0.0.1: a service of the machine that listens on loopback only is not behind it.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID cat /etc/hosts"),
    counter={"host-gateway": "192.0.2.7"},
)
