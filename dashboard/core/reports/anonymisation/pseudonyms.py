"""Pseudonyms for addresses. The same address always gets the same pseudonym; the range of the pseudonym depends on the
kind of address.

Docker's private range (172.16.0.0/12) becomes 198.51.100.0/24, other private addresses 192.0.2.0/24, public ones
203.0.113.0/24 (RFC 5737). When a range is full, 198.18.0.0/15 (RFC 2544) and then 240.0.0.0/4 (reserved) are used. IPv6
addresses become 2001:db8::/32 (RFC 3849), but link-local ones stay link-local. MAC addresses become 00:00:5e:00:53:00
and following (RFC 7042).

Addresses of one network get pseudonyms of one network. Prefix lengths and low host numbers are kept, so a gateway is
still ``.1``. Loopback, unspecified, broadcast and multicast addresses identify nothing and are kept.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from itertools import chain, count

BLOCK = 64
_DOCKER = ipaddress.IPv4Network("172.16.0.0/12")
_CARRIER = ipaddress.IPv4Network("100.64.0.0/10")
_RANGES = {"docker": "198.51.100.0/24", "private": "192.0.2.0/24", "public": "203.0.113.0/24"}
_ROOM = ipaddress.IPv4Network("198.18.0.0/15")
_RESERVED = int(ipaddress.IPv4Address("240.0.0.1"))
_DOCUMENTED = int(ipaddress.IPv6Address("2001:db8::"))
_LINK = int(ipaddress.IPv6Address("fe80::"))
_KEPT_MACS = {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"}

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
type Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _kind(address: ipaddress.IPv4Address) -> str:
    if address in _DOCKER:
        return "docker"
    return "private" if address.is_private or address in _CARRIER else "public"


def identifies_nothing(address: Address) -> bool:
    """Whether the address is the same on many machines: loopback, unspecified, broadcast, a mask, multicast, or the
    link-local prefix."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_loopback or address.is_unspecified or int(address) >> 28 >= 14
    return address.is_loopback or address.is_unspecified or address.is_multicast or int(address) == _LINK


class Pseudonyms:
    """Assigns pseudonyms to addresses. ``networks`` are the known subnets: the addresses of one subnet get pseudonyms
    of one network. Addresses in ``known`` are never used as pseudonyms."""

    def __init__(self, networks: Iterable[Network], known: Iterable[Address]) -> None:
        self._networks = sorted(set(networks), key=lambda one: (-one.prefixlen, str(one)))
        self._taken = {one for one in known if not identifies_nothing(one)}
        self._given: dict[str, str] = {}
        self._macs: dict[str, str] = {}
        self._blocks: dict[Network, int] = {}
        self._free = {kind: self._starts(ipaddress.IPv4Network(text)) for kind, text in _RANGES.items()}
        self._room = self._starts(_ROOM)
        self._rest = iter(range(_RESERVED, _RESERVED + (1 << 27)))
        self._links = count(1)
        self._subnets = count(1)

    def _starts(self, network: ipaddress.IPv4Network) -> Iterator[int]:
        """Yields the first address of each block of ``BLOCK`` addresses in which no address is taken."""
        first, last = int(network.network_address), int(network.broadcast_address)
        known = {(int(one) - first) // BLOCK for one in self._taken if one in network}
        return (start for start in range(first, last, BLOCK) if (start - first) // BLOCK not in known)

    def address(self, text: str) -> str:
        """Returns the pseudonym for an address. Returns the text unchanged if it is no address, or if the address
        identifies nothing (``identifies_nothing``)."""
        given = self._given.get(text)
        if given is None:
            given = self._given[text] = self._new(text)
        return given

    def _new(self, text: str) -> str:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return text
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            return f"::ffff:{self.address(str(address.ipv4_mapped))}"
        if identifies_nothing(address):
            return text
        if isinstance(address, ipaddress.IPv4Address):
            return self._inet(address)
        return self._inet6(address)

    def _network_of(self, address: Address, prefix: int) -> Network:
        known = next((network for network in self._networks if address in network), None)
        return known or ipaddress.ip_network(f"{address}/{prefix}", strict=False)

    def _take(self, candidates: Iterable[int], version: type[Address]) -> str:
        for number in candidates:
            address = version(number)
            if address not in self._taken:
                self._taken.add(address)
                return str(address)
        raise ValueError("there are no pseudonyms left")

    def _inet(self, address: ipaddress.IPv4Address) -> str:
        network = self._network_of(address, 24)
        start = self._blocks.get(network)
        if start is None:
            start = next(chain(self._free[_kind(address)], self._room), None)
            if start is None:
                return self._take(self._rest, ipaddress.IPv4Address)
            self._blocks[network] = start
        offset = int(address) - int(network.network_address)
        wanted = [start + offset] if offset < BLOCK - 1 else []
        inside = range(start + BLOCK - 1, start, -1)
        return self._take(chain(wanted, inside, self._rest), ipaddress.IPv4Address)

    def _inet6(self, address: ipaddress.IPv6Address) -> str:
        if address.is_link_local:
            return self._take((_LINK + number for number in self._links), ipaddress.IPv6Address)
        network = self._network_of(address, 64)
        start = self._blocks.get(network)
        if start is None:
            start = self._blocks[network] = _DOCUMENTED + (next(self._subnets) << 64)
        offset = int(address) - int(network.network_address)
        wanted = [start + offset] if offset < 1 << 16 else []
        further = range(start + (1 << 16), start + (1 << 18))
        return self._take(chain(wanted, further), ipaddress.IPv6Address)

    def mac(self, text: str) -> str:
        """Returns the pseudonym for a MAC address of 6 octets (20 on InfiniBand), in upper case if the address is."""
        low = text.lower()
        if low in _KEPT_MACS:
            return text
        if low not in self._macs:
            number = len(self._macs)
            made = f"00:00:5e:00:53:{number:02x}" if number < 256 else _local_mac(number)
            self._macs[low] = "00:" * (len(low) // 3 - 5) + made
        return self._macs[low].upper() if text.isupper() else self._macs[low]


def _local_mac(number: int) -> str:
    return f"02:00:{number >> 24 & 255:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
