"""The default bridge has no IPv6 unless it is enabled."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import observe_state
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network bridge IMAGE sleep 60"


def judge(inside: NamespaceState) -> Judgement:
    """Holds if no interface has a global IPv6 address."""
    addresses = [
        f"{link.name} {address.address}"
        for link in inside.interfaces
        for address in link.addresses
        if address.family == "inet6" and address.scope == "global"
    ]
    evidence = f"global IPv6 addresses in the container: {', '.join(addresses) or 'none'}"
    return holds_if(not addresses, "It has one.", evidence)


CLAIM = Claim(
    id="bridge-without-ipv6",
    topic=Topic.BRIDGE,
    statement="On the default bridge a container has no global IPv6 address unless the Engine is configured for it; in "
    "host mode it has all of the machine's.",
    source="Docker documentation, “Use IPv6 networking”",
    observe=observe_state(LINE),
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE, Need.IPV6}),
    mutation={"--network bridge": "--network host"},
)
