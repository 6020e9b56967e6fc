"""Which ways a request can take to a service, found from the observed state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.experiments.messages import ArmStatus, Column
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.addresses import bracket, primary_addresses
from dashboard.core.namespaces.state import NamespaceState


@dataclass(frozen=True, slots=True)
class Way:
    """One request to make: from ``origin``'s namespace to ``address``:``port``, served by ``server``.

    ``server_port`` is the port of the program itself: behind a published port it is another than ``port``.
    ``unavailable`` says why this way does not exist here; then there is no address.
    """

    path: str
    title: str
    origin: str
    server: str
    address: str = ""
    port: int = 0
    unavailable: str = ""
    server_port: int = 0

    @property
    def key(self) -> str:
        """Identity within an experiment, like ``bridge/published-proxy/127.0.0.1:8080``; empty where no way is."""
        return f"{self.server}/{self.path}/{bracket(self.address)}:{self.port}" if self.address else ""

    @property
    def url(self) -> str:
        """The address as a person would type it."""
        return f"http://{bracket(self.address)}:{self.port}/" if self.address else ""

    @property
    def curl(self) -> str:
        """The same request for a terminal, to be typed where ``origin`` is."""
        return f"curl -i {self.url}" if self.address else ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one way. Times in microseconds; ``client_seen`` is the peer of the server's own socket.

    ``key`` is the way's."""

    path: str
    title: str
    origin: str
    server: str
    url: str
    curl: str
    status: int | None = None
    reason: str = ""
    body_start: str = ""
    time_us: int | None = None
    client_seen: str = ""
    error: str = ""
    unavailable: str = ""
    key: str = ""


_ALL_IPV4 = frozenset({"", "0.0.0.0"})  # noqa: S104 - compared, not bound


def _published(column: Column, state: NamespaceState, machine: NamespaceState) -> list[Way]:
    """The ways through a published port: over loopback, and to an address of the machine."""
    title, port = column.title, column.port or 80
    bound = {p.host_address: p.host_port for p in column.published if p.container_port == port and p.protocol == "tcp"}
    if not bound:
        why = f"{title} does not publish its port {port}"
        if column.mode == Mode.HOST:
            why = f"the Engine discarded -p: {title} has no mapping"
        return [Way("published-dnat", f"Published port, {title}", MACHINE, column.key, unavailable=why)]
    only = f"{title} publishes on {', '.join(sorted(bound))} only"
    found = []
    near = _loopback_door(bound)
    if near is not None:
        address, host_port = near
        held = {one.process for one in machine.listeners if one.port == host_port and one.protocol == "tcp"}
        path = "published-dnat" if held == {"dockerd"} else "published-proxy"  # --userland-proxy=false
        name = f"{bracket(address)} to the published port of {title}"
        found.append(Way(path, name, MACHINE, column.key, address, host_port))
    far = _outer_door(bound, machine)
    if far is not None:
        address, host_port = far
        # Docker's NAT is per family: an address of the other one reaches the container through docker-proxy alone.
        own = {a.family for one in state.interfaces for a in one.addresses if a.scope == "global"}
        path = "published-dnat" if ("inet6" if ":" in address else "inet") in own else "published-proxy"
        name = f"The machine's address to the published port of {title}"
        found.append(Way(path, name, MACHINE, column.key, address, host_port))
    else:
        why = only if primary_addresses(machine) else "the machine has no address besides loopback"
        found.append(Way("published-dnat", f"Published port, {title}", MACHINE, column.key, unavailable=why))
    return found


def _loopback_door(bound: Mapping[str, int]) -> tuple[str, int] | None:
    """The loopback address and port at which a published port answers; IPv4 first."""
    for address, port in bound.items():
        if address in _ALL_IPV4:
            return "127.0.0.1", port
    for address, port in bound.items():
        if address.startswith("127."):
            return address, port
    return next((("::1", port) for address, port in bound.items() if address in {"::", "::1"}), None)


def _outer_door(bound: Mapping[str, int], machine: NamespaceState) -> tuple[str, int] | None:
    """The machine's own address and port at which a published port answers; IPv4 first."""
    own = primary_addresses(machine)
    for address, port in bound.items():
        family = [one for one in own if (":" in one) == (address == "::")]
        if address in {*_ALL_IPV4, "::"} and family:
            return family[0], port
        if address not in {*_ALL_IPV4, "::", "::1"} and not address.startswith("127."):
            return address, port
    return None


def _reachable(column: Column, state: NamespaceState) -> tuple[str, str]:
    """The container's address for its machine, or why there is none."""
    if any(one.kind in {Mode.MACVLAN, Mode.IPVLAN} for one in state.interfaces):
        kind = next(one.kind for one in state.interfaces if one.kind in {Mode.MACVLAN, Mode.IPVLAN})
        return "", f"a {kind} container cannot be reached by its own machine through the parent interface"
    own = [address for address in column.networks.values() if address]
    if column.mode == Mode.OVERLAY or not own:
        # The machine is no part of an overlay: what it reaches is the gateway bridge beside it.
        own = [*primary_addresses(state), *own][:1]
    return (own[0], "") if own else ("", f"{column.title} has no address")


def ways(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[Way, ...]:
    """Every way to every running arm's port, in the order of the columns."""
    machine = states.get(MACHINE)
    found: list[Way] = []
    running = [c for c in columns if c.key != MACHINE and c.status is ArmStatus.RUNNING and c.key in states]
    for column in running:
        port = column.port or 80
        state = states[column.key]
        if machine is not None and state.netns == machine.netns:
            found.append(Way("loopback", f"127.0.0.1 to {column.title}", MACHINE, column.key, "127.0.0.1", port))
            found += [
                Way("machine-address", f"The machine's address to {column.title}", MACHINE, column.key, address, port)
                for address in primary_addresses(machine)[:1]
            ]
            if column.asked:
                found += _published(column, state, machine)
            continue
        found.append(Way("inside", f"127.0.0.1 inside {column.title}", column.key, column.key, "127.0.0.1", port))
        if machine is None:
            continue
        address, why = _reachable(column, state)
        name = f"The machine to {column.title}'s address" if address else f"The machine to {column.title}"
        way = Way("bridge-address", name, MACHINE, column.key, address, port if address else 0, why)
        found.append(way)
        if column.mode not in {Mode.NONE, Mode.CONTAINER, Mode.MACVLAN, Mode.IPVLAN}:
            found += _published(column, state, machine)
    ports = {column.key: column.port or 80 for column in running}
    return tuple(replace(way, server_port=ports[way.server]) for way in found)
