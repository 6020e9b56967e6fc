"""Other machines of the installation as clients: their paths to an experiment's containers.

Such a client is the network stack of the other machine's engine. Its column is not part of the experiment: its key is
``@`` and the machine's name.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dashboard.core.experiments.journal import Attempt
from dashboard.core.experiments.messages import ArmStatus, Column
from dashboard.core.modes import MACHINE, OBSERVERS
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.paths.clients.outside_clients import OutsideClient, bridge_around, families_of
from dashboard.core.paths.clients.overlay import OverlayArm
from dashboard.core.paths.model import MACHINE_KEY, Path, PathKind

#: The maximum number of machines from which the paths of an experiment are requested at once.
MAX_CLIENTS = 8
#: A translator on the path forwards packets for these addresses to the IPv4 address in their last 32 bits (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class MachineClient:
    """Another machine of the installation as a client of an experiment. ``state`` has its interfaces and routes. If the
    machine cannot send requests, ``state`` is None, and ``problem`` is the reason. ``arm`` is an arm of the experiment
    on this machine that is connected to the experiment's overlay network; None if there is no such arm."""

    name: str
    state: NamespaceState | None = None
    problem: str = ""
    arm: OverlayArm | None = None

    @property
    def key(self) -> str:
        """The key of the machine as the client of a path: ``@`` and its name."""
        return f"{MACHINE_KEY}{self.name}"

    @property
    def title(self) -> str:
        """The name of the machine in the titles of its paths."""
        return f"Machine {self.name}"


def visible_part(state: NamespaceState) -> NamespaceState:
    """Returns the part of a machine's state that other machines need to find paths from it: interfaces and routes."""
    return NamespaceState(state.netns, interfaces=state.interfaces, routes=state.routes)


def machine_clients(machines: Iterable[MachineClient]) -> tuple[OutsideClient, ...]:
    """Returns the machines as clients of paths, without those that cannot send requests."""
    kinds = (PathKind.FROM_MACHINE_ADDRESS, PathKind.FROM_MACHINE_PUBLISHED, PathKind.FROM_MACHINE_CONTAINER)
    return tuple(
        OutsideClient(one.key, one.title, one.state, families_of(one.state), kinds, one.name, is_routed=True)
        for one in machines
        if one.state is not None
    )


def missing_clients(machines: Iterable[MachineClient], columns: Sequence[Column]) -> tuple[Path, ...]:
    """Returns an unavailable path, with the reason, for each machine that cannot send requests. Each path leads to the
    first running arm of ``columns``, or to the machine of the experiment if no arm runs."""
    running = (one for one in columns if one.key not in OBSERVERS and one.status is ArmStatus.RUNNING)
    server = next((column.key for column in running), MACHINE)
    return tuple(
        Path(PathKind.FROM_MACHINE_ADDRESS, f"{one.title} to this experiment", one.key, server, unavailable=one.problem)
        for one in machines
        if one.state is None
    )


def without_trace(attempt: Attempt) -> Attempt:
    """Returns the attempt without its key, so that it is not traced: a trace would need the other machine's kernel."""
    return replace(attempt, key="")


def address_problem(state: NamespaceState, address: str) -> str:
    """Returns why a machine with this network stack refuses to send a request to ``address``; empty if it does not.

    The machine refuses its own addresses and those in the subnet of one of its bridges (``bridge_around``), because
    they do not lead to another machine. It accepts an address only in the form in which labs report it, because it
    would not recognise its own address in another form.
    """
    try:
        target = ipaddress.ip_address(address)
    except ValueError:
        return f"“{address[:60]}” is not an IP address."
    if isinstance(target, ipaddress.IPv6Address):
        if target.ipv4_mapped is not None:
            return f"{address} is an IPv4 address in the form of an IPv6 address."
        if target.scope_id is not None:
            return f"“{address[:60]}” names an interface of this machine."
        if target in _NAT64 and (problem := address_problem(state, str(ipaddress.IPv4Address(target.packed[-4:])))):
            return f"{address} leads to an IPv4 address: {problem}"
    if str(target) != address:
        return f"“{address[:60]}” is not in the usual form of an IP address: write {target}."
    if target.is_loopback or target.is_unspecified or target.is_multicast or target.is_link_local:
        return f"{address} is not an address of another machine."
    if any(one.address == address for link in state.interfaces for one in link.addresses):
        return f"{address} is an address of this machine itself."
    if bridge := bridge_around(state, address):
        return f"{address} is in the subnet of {bridge} on this machine: a container may have it."
    return ""
