"""Which ways a request can take to a service, found from the observed state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.cells import MACHINE, bracket, primary_addresses
from dashboard.core.messages import ArmStatus, Column
from dashboard.core.modes import Mode
from dashboard.core.state import NamespaceState


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
    def url(self) -> str:
        """The address as a person would type it."""
        return f"http://{bracket(self.address)}:{self.port}/" if self.address else ""

    @property
    def curl(self) -> str:
        """The same request for a terminal, to be typed where ``origin`` is."""
        return f"curl -i {self.url}" if self.address else ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one way. Times in microseconds; ``client_seen`` is the peer of the server's own socket."""

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


def _published(column: Column, port: int, machine: NamespaceState) -> list[Way]:
    mapped = next((p for p in column.published if p.container_port == port and p.protocol == "tcp"), None)
    if mapped is None:
        why = (
            f"the Engine discarded -p: {column.title} has no mapping"
            if column.mode == Mode.HOST
            else f"{column.title} publishes no port"
        )
        return [Way("published-dnat", f"Published port, {column.title}", MACHINE, column.key, unavailable=why)]
    bound = {p.host_address for p in column.published if p.host_port == mapped.host_port}
    ways = []
    if bound & {"", "0.0.0.0", "::", "127.0.0.1"}:  # noqa: S104 - compared, not bound
        ways.append(
            Way(
                "published-proxy",
                f"127.0.0.1 to the published port of {column.title}",
                MACHINE,
                column.key,
                "127.0.0.1",
                mapped.host_port,
            )
        )
    own = [a for a in primary_addresses(machine) if ":" not in a]
    if own and bound & {"", "0.0.0.0"}:  # noqa: S104 - compared, not bound
        ways.append(
            Way(
                "published-dnat",
                f"The machine's address to the published port of {column.title}",
                MACHINE,
                column.key,
                own[0],
                mapped.host_port,
            )
        )
    elif not own:
        ways.append(
            Way(
                "published-dnat",
                f"Published port, {column.title}",
                MACHINE,
                column.key,
                unavailable="the machine has no address besides loopback",
            )
        )
    return ways


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
                found += _published(column, port, machine)
            continue
        found.append(Way("inside", f"127.0.0.1 inside {column.title}", column.key, column.key, "127.0.0.1", port))
        addresses = [a for a in column.networks.values() if a] or list(primary_addresses(state)[:1])
        if machine is None:
            continue
        if not addresses:
            why = f"{column.title} has no address"
            found.append(Way("bridge-address", f"The machine to {column.title}", MACHINE, column.key, unavailable=why))
        elif column.mode in {Mode.MACVLAN, Mode.IPVLAN}:
            why = f"a {column.mode} container cannot be reached by its own machine through the parent interface"
            found.append(Way("bridge-address", f"The machine to {column.title}", MACHINE, column.key, unavailable=why))
        else:
            found.append(
                Way(
                    "bridge-address",
                    f"The machine to {column.title}'s address",
                    MACHINE,
                    column.key,
                    addresses[0],
                    port,
                )
            )
        if column.mode not in {Mode.NONE, Mode.CONTAINER, Mode.MACVLAN, Mode.IPVLAN}:
            found += _published(column, port, machine)
    ports = {column.key: column.port or 80 for column in running}
    return tuple(replace(way, server_port=ports[way.server]) for way in found)
