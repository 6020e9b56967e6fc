"""Parses resolv.conf, finds its origin, and plans how a name is looked up with it.

Sources: resolv.conf(5), resolver(3); Moby ``daemon/container_operations_unix.go`` and
``libnetwork/internal/resolvconf`` for what Docker writes into a container.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.core.modes import NETWORK_DRIVERS, Mode
from dashboard.core.namespaces.hosts_file import is_address
from dashboard.core.namespaces.state import HostsEntry, Origin, Resolver

#: Docker's own resolver inside a namespace on a user-defined network.
DOCKER_SERVER = "127.0.0.11"
#: The search domain of a network on which aardvark-dns answers container names (Podman, podman-network(1)).
PODMAN_DOMAIN = "dns.podman"
#: The addresses at which pasta and slirp4netns pass queries to the machine's servers (podman-run(1), ``--network``).
FORWARDING_SERVERS = frozenset({"169.254.1.1", "10.0.2.3"})
#: The server of a machine whose programs all ask systemd-resolved.
RESOLVED_STUB = "127.0.0.53"
#: What Docker writes if the machine has no name server that a container can reach.
PUBLIC_SERVERS = frozenset({"8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"})

#: The outcome of a lookup where resolv.conf could not be read: which servers a program would ask is unknown.
NO_RESOLVER = "unknown: resolv.conf is not readable"
#: The outcome of a lookup that was to be made in a network namespace that no longer exists.
NAMESPACE_GONE = "namespace gone"
#: The outcomes of lookups that were not made: they do not tell whether the name has an address.
NOT_MADE = frozenset({NO_RESOLVER, NAMESPACE_GONE})

_MAX_SERVERS = 3  # MAXNS of resolver(3): further servers in the file are never queried
_MAX_VALUES = 64
_MAX_NDOTS = 15


def parse_resolv_conf(text: str) -> Resolver:
    """Parses the file as resolver(3) does. A keyword starts its line, and ``;`` and ``#`` start comments. The last of
    ``domain`` and ``search`` wins; options accumulate. A server that is not an address is ignored. Up to 64 servers are
    kept, although only the first three are ever queried."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.split("\n"):
        if not line or line[0] in "#; \t":
            continue
        keyword, *values = _without_comment(line.split())
        match keyword:
            case "nameserver" if values and is_address(values[0]):
                servers.append(values[0])
            case "domain" if values:
                search = (values[0],)
            case "search":
                search = tuple(values[:_MAX_VALUES])
            case "options":
                options.extend(values)
            case _:
                pass
    return Resolver(tuple(servers[:_MAX_VALUES]), search, tuple(options[:_MAX_VALUES]), Origin.OTHER)


def _without_comment(fields: list[str]) -> list[str]:
    for position, field in enumerate(fields):
        if field[0] in "#;":
            return fields[:position] or [""]
    return fields or [""]


def is_loopback(server: str) -> bool:
    """Whether the text is a loopback address."""
    try:
        return ipaddress.ip_address(server).is_loopback
    except ValueError:
        return False


def classify(
    resolver: Resolver,
    machine: Resolver,
    mode: Mode | None,
    given_dns: Sequence[str] = (),
    upstream: Resolver | None = None,
) -> Origin:
    """Returns the origin of a column's resolv.conf, derived from its servers.

    ``resolver`` is the content of the column's file, ``machine`` that of the machine's file. ``mode`` is the mode of
    the column; None for the machine itself. For an arm in mode ``container``, pass the mode of the arm whose namespace
    and file it shares, if that is known. ``given_dns`` are the servers of ``--dns``.

    ``upstream`` is the content of ``/run/systemd/resolve/resolv.conf``, for a machine whose own file names only
    127.0.0.53. On the default bridge and in mode none, Docker bases a container's file on ``upstream`` instead.
    """
    if mode is None:
        return Origin.MACHINE
    servers = resolver.nameservers
    if servers == (DOCKER_SERVER,) and mode not in {Mode.HOST, Mode.NONE}:
        return Origin.DOCKER  # also on the default bridge, while another network is connected
    if mode in NETWORK_DRIVERS or mode is Mode.CONTAINER:
        if PODMAN_DOMAIN in resolver.search:
            return Origin.AARDVARK
        if mode is not Mode.CONTAINER:
            return Origin.OTHER
    if given_dns and servers == tuple(given_dns):
        return Origin.GIVEN
    if mode is not Mode.HOST and FORWARDING_SERVERS.intersection(servers[:1]) - {*machine.nameservers}:
        return Origin.FORWARDED
    if mode in {Mode.HOST, Mode.CONTAINER} and servers == machine.nameservers:
        return Origin.COPY
    if mode is Mode.HOST:
        return Origin.OTHER
    return _classify_bridge(servers, _docker_source(machine, upstream))


def names_only_stub(machine: Resolver) -> bool:
    """Whether systemd-resolved's stub is the only name server in the machine's resolv.conf."""
    return machine.nameservers == (RESOLVED_STUB,)


def _docker_source(machine: Resolver, upstream: Resolver | None) -> Resolver:
    """Returns the resolv.conf from which Docker derives a container's resolv.conf: ``upstream`` if the machine's own
    file names only systemd-resolved's stub, otherwise the machine's own file."""
    return upstream if upstream is not None and names_only_stub(machine) else machine


def _classify_bridge(servers: tuple[str, ...], machine: Resolver) -> Origin:
    reachable = tuple(server for server in machine.nameservers if not is_loopback(server))
    without_ipv6 = tuple(server for server in reachable if ":" not in server)
    if servers and servers in {reachable, without_ipv6}:
        return Origin.STRIPPED
    if servers and PUBLIC_SERVERS.issuperset(servers) and not without_ipv6:
        return Origin.FALLBACK
    return Origin.OTHER


@dataclass(frozen=True, slots=True)
class LookupPlan:
    """How a name is looked up. ``answers`` are known without a query. ``from_hosts`` is true if they are from the hosts
    file. If there are no answers, the ``servers`` are asked for the names in ``candidates``, one after the other."""

    answers: tuple[str, ...] = ()
    from_hosts: bool = False
    candidates: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()


def lookup_plan(name: str, hosts: Sequence[HostsEntry], resolver: Resolver) -> LookupPlan:
    """Returns how the C library looks up a name. An address is its own answer. Otherwise the hosts file is read first,
    then DNS is queried with the search list.

    A name with at least ``ndots`` dots is queried unmodified before the search list, other names after it. A trailing
    dot disables the search list. Without a server, 127.0.0.1 is queried.
    """
    name = name.strip()
    if is_address(name):
        return LookupPlan(answers=(name,))
    wanted = name.casefold()
    known = dict.fromkeys(entry.address for entry in hosts if any(wanted == one.casefold() for one in entry.names))
    if known:
        return LookupPlan(answers=tuple(known), from_hosts=True)
    if not name.strip("."):
        return LookupPlan()
    servers = tuple(dict.fromkeys(resolver.nameservers))[:_MAX_SERVERS] or ("127.0.0.1",)
    return LookupPlan(candidates=_candidates(name, resolver), servers=servers)


def _candidates(name: str, resolver: Resolver) -> tuple[str, ...]:
    if name.endswith("."):
        return (name,)
    absolute = f"{name}."
    searched = [f"{name}.{domain.strip('.')}." if domain.strip(".") else absolute for domain in resolver.search]
    order = [absolute, *searched] if name.count(".") >= _ndots(resolver) else [*searched, absolute]
    return tuple(dict.fromkeys(order))


def _ndots(resolver: Resolver) -> int:
    """Returns the value of the last option ``ndots:N``, at most 15; by default 1."""
    ndots = 1
    for option in resolver.options:
        key, _, value = option.partition(":")
        if key == "ndots" and value.isascii() and value.isdigit():
            ndots = min(int(value[:4]), _MAX_NDOTS)
    return ndots
