"""Who asks, and over what, where a reverse proxy stands in between: what a proxy says counts only if it is one of ours.

A proxy appends to ``X-Forwarded-For`` the address from which it was asked, so the list is read from its end, and only
as long as whoever wrote the entry is trusted; everything before that may be anybody's invention.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

#: More proxies than this stand in no row; the rest of a longer list is not looked at.
MOST_HOPS = 16
SCHEMES = ("http", "https")


def proxies_of(words: Iterable[str]) -> tuple[Network, ...]:
    """The networks that are meant, an address being one of a single machine. ValueError with a sentence for what is
    none, and for what would trust everybody."""
    found = []
    for word in words:
        try:
            network = ip_network(word)
        except ValueError as error:
            raise ValueError(
                f"NETMODES_TRUSTED_PROXIES takes addresses and networks such as 192.0.2.7 or 10.0.0.0/24: {error}."
            ) from None
        if network.prefixlen == 0:
            raise ValueError(f"NETMODES_TRUSTED_PROXIES would believe everybody: name the proxy instead of {word}.")
        found.append(network)
    return tuple(found)


def _address(text: str) -> Address | None:
    """An address as proxies write it: bare, with a port, or in brackets; an IPv4 address mapped into IPv6 is itself."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def is_trusted(peer: str, proxies: Sequence[Network]) -> bool:
    """Whether the address belongs to one of the proxies."""
    address = _address(peer)
    return address is not None and any(address in network for network in proxies)


def client_behind(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """The nearest address that is not a proxy of ours: ``peer``, who is connected to us, or an entry of
    ``X-Forwarded-For`` (one text for each such header). An entry that is no address ends the walk."""
    client = peer
    entries = ",".join(forwarded).split(",") if forwarded else []
    for entry in entries[: -MOST_HOPS - 1 : -1]:
        if not is_trusted(client, proxies):
            break
        before = _address(entry)
        if before is None:
            break
        client = str(before)
    return client


def scheme_behind(peer: str, scheme: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """``http`` or ``https``: what the browser speaks by the word of a proxy of ours (the last one in
    ``X-Forwarded-Proto``), else ``scheme``, which is what was spoken to us."""
    if forwarded and is_trusted(peer, proxies):
        said = forwarded[-1].rpartition(",")[2].strip().lower()
        if said in SCHEMES:
            return said
    return scheme
