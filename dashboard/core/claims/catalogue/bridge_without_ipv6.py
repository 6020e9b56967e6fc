"""The default bridge has no IPv6 unless it was switched on."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Need, Stage, Topic, proves
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network bridge IMAGE sleep 60"


async def observe(stage: Stage) -> NamespaceState:
    """The container."""
    return await stage.state(await stage.run(LINE))


def judge(seen: NamespaceState) -> Judgement:
    """No global IPv6 address."""
    found = [
        f"{link.name} {one.address}"
        for link in seen.interfaces
        for one in link.addresses
        if one.family == "inet6" and one.scope == "global"
    ]
    return proves(not found, "It has one.", f"global IPv6 addresses in the container: {', '.join(found) or 'none'}")


CLAIM = Claim(
    id="bridge-without-ipv6",
    topic=Topic.BRIDGE,
    statement="On the default bridge a container has no global IPv6 address, unless the Engine was told to; in host "
    "mode it has all of the machine's.",
    source="Docker documentation, “Use IPv6 networking”",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE, Need.IPV6}),
    counter={"--network bridge": "--network host"},
)
