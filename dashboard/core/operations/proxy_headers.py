"""Determines the client's address and scheme behind a reverse proxy. Only headers of trusted proxies are used.

A proxy appends the address of its client to ``X-Forwarded-For``. The list is read from its end as long as the proxy
that wrote an entry is trusted; earlier entries may be forged.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

#: No deployment has more proxies in a row; the rest of a longer list is ignored.
MAX_HOPS = 16
SCHEMES = ("http", "https")


def parse_proxies(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parses the addresses and networks of trusted proxies. Raises ValueError with a message for the user if a text is
    neither an address nor a network, or if a network contains every address."""
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
    """Parses an address as proxies write it: plain, with a port, or in brackets. Returns None if it is invalid. An
    IPv4-mapped IPv6 address becomes the IPv4 address."""
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
    """Whether the address ``peer`` belongs to one of the proxies."""
    address = _address(peer)
    return address is not None and any(address in network for network in proxies)


def client_behind(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """Returns the client's address: the nearest address that is not a trusted proxy.

    The nearest address of all is ``peer``, the other end of the connection. The entries of ``X-Forwarded-For`` follow,
    from the last to the first. ``forwarded`` has the value of each such header. An invalid entry ends the search. At
    most ``MAX_HOPS`` entries are read.
    """
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
    """Returns the browser's scheme, ``http`` or ``https``. If ``peer`` is a trusted proxy, this is the last entry of
    ``X-Forwarded-Proto`` (``forwarded``). Without a valid entry, or if ``peer`` is not trusted, it is ``scheme``, the
    scheme of the connection."""
    if forwarded and is_trusted(peer, proxies):
        entry = forwarded[-1].rpartition(",")[2].strip().lower()
        if entry in SCHEMES:
            return entry
    return scheme
