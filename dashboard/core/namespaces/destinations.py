"""Sets of destination addresses, for following packets through the rules of the packet filter."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace

#: The greatest number of conditions that are kept for a packet.
MAX_CONDITIONS = 8

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Destinations:
    """The destination addresses of packets: those in ``network`` (None: all addresses), except those in ``excluded``.
    The packets must also meet the ``conditions``, texts that Netmodes does not evaluate."""

    network: Network | None = None
    excluded: tuple[Network, ...] = ()
    conditions: tuple[str, ...] = ()

    def within(self, network: Network | None, excluded: Sequence[Network]) -> Destinations | None:
        """Returns the addresses that are also in ``network`` and not in ``excluded``; None if no address is left."""
        inner = self.network if network is None else network
        if inner is not None and self.network is not None:
            if not inner.overlaps(self.network):
                return None
            inner = inner if _contains(self.network, inner) else self.network
        outside = [one for one in (*self.excluded, *excluded) if inner is None or one.overlaps(inner)]
        if inner is not None and any(_contains(one, inner) for one in outside):
            return None
        return Destinations(inner, tuple(sorted(set(outside), key=_network_order)), self.conditions)

    def only_if(self, condition: str) -> Destinations:
        """Returns the same addresses with one more condition, as a text. Conditions beyond the first ``MAX_CONDITIONS``
        are dropped."""
        if not condition or condition in self.conditions or len(self.conditions) == MAX_CONDITIONS:
            return self
        return replace(self, conditions=(*self.conditions, condition))


def _network_order(network: Network) -> tuple[int, int, int]:
    return (network.version, int(network.network_address), network.prefixlen)


def _contains(outer: Network, inner: Network) -> bool:
    if isinstance(outer, ipaddress.IPv4Network):
        return isinstance(inner, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, ipaddress.IPv6Network) and inner.subnet_of(outer)
