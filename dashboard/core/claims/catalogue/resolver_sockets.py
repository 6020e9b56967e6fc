"""Docker's resolver listens inside the namespace, on ports that it chose."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, differs, proves
from dashboard.core.namespaces.state import NamespaceState

NETWORK = "docker network create lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"


async def observe(stage: Stage) -> NamespaceState:
    """The container's sockets."""
    await stage.network(NETWORK)
    return await stage.state(await stage.run(LINE))


def judge(seen: NamespaceState) -> Judgement:
    """Sockets at 127.0.0.11, none of them on port 53."""
    found = [one for one in seen.listeners if one.address == "127.0.0.11"]
    evidence = [f"{one.protocol} 127.0.0.11:{one.port} {one.process or ''}".rstrip() for one in found]
    if not found:
        return differs("Nothing listens at 127.0.0.11.", f"sockets in the container: {len(seen.listeners)}")
    return proves(all(one.port != 53 for one in found), "It listens on port 53 itself.", *evidence)


CLAIM = Claim(
    id="resolver-sockets",
    topic=Topic.DNS,
    statement="Docker's resolver is the Engine itself, listening at 127.0.0.11 inside the container's namespace on "
    "ports that it chose; NAT rules lead port 53 there.",
    source="Moby, libnetwork/resolver.go and resolver_unix.go",
    exact="So nothing of it can be seen on the machine, and a container's own firewall rules can cut it off.",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE),
    counter={"--network {lab}": "--network bridge"},
)
