"""The client's address and scheme behind a reverse proxy, from headers of trusted proxies only.

A proxy appends the address of its client to ``X-Forwarded-For``. The list is read from its end while the writer of an
entry is trusted; entries before that may be forged.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

#: No deployment has more proxies in a row; the rest of a longer list is ignored.
MAX_HOPS = 16
SCHEMES = ("http", "https")


def parse_proxies(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks of trusted proxies; an address is a network of one. Raises ValueError with a message for a text that is
    neither and for a network that contains every address."""
    networks = []
    for text in texts:
        try:
            network = ip_network(text)
        except ValueError as error:
            raise ValueError(
                f"NETMODES_TRUSTED_PROXIES takes addresses and networks such as 192.0.2.7 or 10.0.0.0/24: {error}."
            ) from None
        if network.prefixlen == 0:
            raise ValueError(f"NETMODES_TRUSTED_PROXIES trusts every address: name the proxy instead of {text}.")
        networks.append(network)
    return tuple(networks)


def _address(text: str) -> Address | None:
    """An address as proxies write it: plain, with a port, or in brackets. An IPv4-mapped IPv6 address is IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_trusted(peer: str, proxies: Sequence[Network]) -> bool:
    """Whether the address belongs to one of the proxies."""
    address = _address(peer)
    return address is not None and any(address in network for network in proxies)


def client_behind(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """The nearest address that is not a trusted proxy: ``peer``, the other end of the connection, or an entry of
    ``X-Forwarded-For`` (one text for each such header). An invalid entry ends the search."""
    client = peer
    entries = ",".join(forwarded).split(",") if forwarded else []
    for entry in entries[: -MAX_HOPS - 1 : -1]:
        if not is_trusted(client, proxies):
            break
        previous = _address(entry)
        if previous is None:
            break
        client = str(previous)
    return client


def scheme_behind(peer: str, scheme: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """``http`` or ``https``: the browser's scheme according to a trusted proxy (the last entry of
    ``X-Forwarded-Proto``), otherwise ``scheme``, the scheme of the connection."""
    if forwarded and is_trusted(peer, proxies):
        entry = forwarded[-1].rpartition(",")[2].strip().lower()
        if entry in SCHEMES:
            return entry
    return scheme
