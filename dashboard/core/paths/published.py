"""Finds paths to published ports: through docker-proxy, through DNAT, and through the forwarder of a rootless Podman.

The kernel translates a destination before it looks for a listener, so a nat rule decides first. Docker's rules exclude
loopback addresses if docker-proxy runs; a listening program matters only where no rule applies.
"""

from collections.abc import Iterator, Sequence

from msgspec import UnsetType

from dashboard.core.experiments.messages import Column, PublishedPort
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.addresses import format_endpoint, primary_addresses
from dashboard.core.namespaces.forwarders import DOCKER_PROXY, forwarder_name, is_rootless_forwarder
from dashboard.core.namespaces.resolver import is_loopback
from dashboard.core.namespaces.state import Family, Listener, NamespaceState, Translation
from dashboard.core.paths.model import (
    ANY_ADDRESS,
    LOOPBACK_ADDRESSES,
    Path,
    PathKind,
    VethLink,
    family_of,
    global_addresses,
    inner_address,
)
from dashboard.core.paths.translations import find_translation, listeners_on, mappings_of, translations, udp_port

UNKNOWN_PROCESS = "an unknown process"


def userland_proxy(columns: Sequence[Column], machine: NamespaceState | None) -> bool | None:
    """Whether the Engine starts docker-proxy for published ports; None if the observations do not decide it.

    If TCP ports are published and no process except dockerd listens on them, the Engine does not start docker-proxy.
    """
    if machine is None:
        return None
    if any(listener.process == DOCKER_PROXY for listener in machine.listeners):
        return True
    holders = {
        next((listener.process or UNKNOWN_PROCESS for listener in _listeners_of(machine, mapping)), None)
        for column in columns
        for mapping in column.published
        if mapping.protocol == "tcp" and mapping.host_port
    }
    return False if holders and holders <= {None, "dockerd"} else None


def _listeners_of(machine: NamespaceState, mapping: PublishedPort) -> Iterator[Listener]:
    return listeners_on(machine, "tcp", family_of(mapping.host_address), mapping.host_port)


def _own_addresses(machine: NamespaceState, family: Family) -> list[str]:
    """Returns the machine's addresses except loopback, those of the default route's interface first. Addresses of
    bridges are included, because the nat OUTPUT rule matches every local address."""
    addresses = [address for address in primary_addresses(machine) if family_of(address) == family]
    for link in machine.interfaces:
        addresses += global_addresses(link, family)
    return list(dict.fromkeys(addresses))


def published_paths(
    column: Column, state: NamespaceState, machine: NamespaceState, veths: Sequence[VethLink]
) -> Iterator[Path]:
    """Yields the paths to the published port of ``column`` for each address family. Paths that do not exist are
    included, with the reason, only for the first family that is published."""
    port = column.port or 80
    mappings = [one for one in column.published if (one.container_port, one.protocol) == (port, "tcp")]
    by_family = {family: mappings_of(column, machine, family, program=state) for family in Family}
    families = [family for family, found in by_family.items() if found]
    for family in families:
        for path in _FamilyPaths(column, machine, veths, family, by_family[family]).paths():
            if path.address or family is families[0]:
                yield path
    if not families:
        if mappings:
            why = (
                f"{column.title}'s network is routed: {port}/tcp is open at the container's own address, and no port "
                "of the machine leads there"
            )
        elif column.published:
            why = f"{column.title} does not publish {port}/tcp"
        else:
            why = f"{column.title} publishes no port"
        for kind in (PathKind.PUBLISHED_DNAT, PathKind.PUBLISHED_PROXY):
            yield Path(kind, f"Published port of {column.title}", MACHINE, column.key, unavailable=why)


class _FamilyPaths:
    """Finds the paths over one address family. ``mappings`` are the published ports that lead to the program's port.
    One that is published on all addresses is preferred to one on a single address."""

    def __init__(
        self,
        column: Column,
        machine: NamespaceState,
        veths: Sequence[VethLink],
        family: Family,
        mappings: Sequence[PublishedPort],
    ) -> None:
        self._column = column
        self._machine = machine
        self._veths = veths
        self._family = family
        self._mappings = sorted(mappings, key=lambda one: one.host_address not in {"", ANY_ADDRESS[family]})
        self._rules, self._unread = translations(column, machine, veths, family)
        self._inferred = isinstance(machine.firewall, UnsetType)

    def paths(self) -> Iterator[Path]:
        """Yields the paths over loopback and over the machine's address, if the port is published there. An expected
        path that does not exist is yielded with the reason, before the path that takes its place."""
        loopback, outer = self._published_on(loopback=True), self._published_on(loopback=False)
        inside: list[Path] = []
        if loopback is not None:
            inside += self._paths_to(self._address_of(loopback, LOOPBACK_ADDRESSES[self._family]), loopback)
        yield from (path for path in inside if path.kind is not PathKind.PUBLISHED_DNAT)
        own = next(iter(_own_addresses(self._machine, self._family)), "")
        address = self._address_of(outer, own) if outer is not None else ""
        if outer is not None and address:
            yield from self._paths_to(address, outer)
        else:
            only = f"{self._column.title} publishes on {self._mappings[0].host_address} only"
            version = "IPv6" if self._family is Family.INET6 else "IPv4"
            none = f"the machine has no {version} address except loopback and link-local ones"
            yield self._missing(PathKind.PUBLISHED_DNAT, "", only if outer is None else none)
        yield from (path for path in inside if path.kind is PathKind.PUBLISHED_DNAT)

    def _is_any(self, mapping: PublishedPort) -> bool:
        return mapping.host_address in {"", ANY_ADDRESS[self._family]}

    def _published_on(self, *, loopback: bool) -> PublishedPort | None:
        """Returns the mapping that applies to loopback addresses; None without one. If ``loopback`` is false, returns
        the one that applies to the machine's other addresses. A mapping for all addresses applies in both cases."""
        return next(
            (one for one in self._mappings if self._is_any(one) or is_loopback(one.host_address) is loopback),
            None,
        )

    def _address_of(self, mapping: PublishedPort, default: str) -> str:
        return default if self._is_any(mapping) else mapping.host_address

    def _paths_to(self, address: str, mapping: PublishedPort) -> Iterator[Path]:
        """Yields the expected path to ``address``: through docker-proxy for a loopback address, otherwise through DNAT.

        If the expected path does not exist, yields it as unavailable with the reason. Then yields the path that exists
        instead, if any: through the other of the two, or through the forwarder of a rootless Podman.
        """
        loopback = is_loopback(address)
        listener = next(listeners_on(self._machine, "tcp", self._family, mapping.host_port, address), None)
        holder = None if listener is None else listener.process or UNKNOWN_PROCESS
        holds = f"{holder} holds the port" if holder else "no observed process listens there"
        no_proxy = f"no docker-proxy on the machine's port {mapping.host_port}: {holds}"
        endpoint = format_endpoint(address, mapping.host_port)
        result = find_translation(self._rules, "tcp", address, mapping.host_port)
        expected = PathKind.PUBLISHED_PROXY if loopback else PathKind.PUBLISHED_DNAT
        if result.translation is not None:
            rule = result.translation
            to = format_endpoint(rule.to_address, rule.to_port)
            hops = self._hops_to(rule.to_address)
            if hops is None:
                why = (
                    f"a nat rule translates {endpoint} to {to}, which is not an observed address of "
                    f"{self._column.title}"
                )
                yield self._missing(expected, address, why)
            elif loopback and self._family is Family.INET6:
                # IPv6 has no counterpart of the sysctl route_localnet.
                why = (
                    f"a nat rule translates {endpoint} to {to}, but IPv6 does not route such a packet from loopback to "
                    "a container"
                )
                yield self._missing(expected, address, why)
            else:
                if loopback:
                    first = f"a nat rule translates {endpoint} before the kernel looks for a listener"
                    yield self._missing(expected, address, first if holder == DOCKER_PROXY else no_proxy)
                yield self._translated(address, mapping, rule, hops)
            return
        unknown = self._unread or result.unknown
        # Unread rules do not hide docker-proxy on loopback: where it runs, Docker's rules exclude loopback.
        proxied = holder == DOCKER_PROXY and (loopback or not unknown)
        # A rootless Podman makes no rules on the machine.
        forwarded = is_rootless_forwarder(holder)
        if loopback and not proxied:
            yield self._missing(expected, address, no_proxy)
        elif not loopback and not (self._inferred and self._family is Family.INET6):
            no_rule = f"no nat rule of the machine translates {endpoint}"
            answers = f"{forwarder_name(holder)} answers there" if proxied or forwarded else holds
            yield self._missing(expected, address, unknown or f"{no_rule}: {answers}")
        if proxied:
            yield self._proxied(address, mapping)
        if forwarded:
            yield self._forwarded(address, mapping, forwarder_name(holder))

    def _hops_to(self, inner: str) -> tuple[str, ...] | None:
        """Returns the hops to the container's address ``inner``: a bridge and a veth pair. None if not observed."""
        return next((veth.hops for veth in self._veths if inner in global_addresses(veth.inner, self._family)), None)

    def _title(self, address: str) -> str:
        start = address if is_loopback(address) else "The machine's address"
        return f"{start} to the published port of {self._column.title}"

    def _missing(self, kind: PathKind, address: str, why: str) -> Path:
        return Path(kind, self._title(address), MACHINE, self._column.key, unavailable=why)

    def _translated(self, address: str, mapping: PublishedPort, rule: Translation, hops: tuple[str, ...]) -> Path:
        ends = (format_endpoint(address, mapping.host_port), format_endpoint(rule.to_address, rule.to_port))
        return self._open(PathKind.PUBLISHED_DNAT, address, mapping, (f"DNAT {' → '.join(ends)}", *hops))

    def _proxied(self, address: str, mapping: PublishedPort) -> Path:
        hops = inner_address(self._veths, self._family)[1] or inner_address(self._veths, Family.INET)[1]
        proxy = f"docker-proxy :{mapping.host_port} (user space)"
        return self._open(PathKind.PUBLISHED_PROXY, address, mapping, ("lo", proxy, *hops))

    def _forwarded(self, address: str, mapping: PublishedPort, forwarder: str) -> Path:
        """Returns the path through a process that forwards into the container's namespace."""
        hops = ("lo", f"{forwarder} :{mapping.host_port} (user space)")
        return self._open(PathKind.PUBLISHED_ROOTLESS, address, mapping, hops)

    def _open(self, kind: PathKind, address: str, mapping: PublishedPort, hops: tuple[str, ...]) -> Path:
        udp, missing = udp_port(self._column, self._machine, self._veths, address)
        return Path(
            kind,
            self._title(address),
            MACHINE,
            self._column.key,
            self._family,
            address,
            mapping.host_port,
            server_port=mapping.container_port,
            fixed=True,
            hops=hops,
            udp_port=udp,
            udp_missing=missing,
        )
