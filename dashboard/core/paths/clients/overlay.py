"""Arms on other machines as clients: containers on the overlay network that the parts of an experiment share."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.experiments.messages import ArmStatus, Column
from dashboard.core.modes import Mode
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.paths.model import MACHINE_KEY, Path, PathKind, family_of, link_with

#: A responder is in a container with its own networks (``core.measurements.responder_experiment``).
NOT_SHARED = (
    "{0} has no network with {1} on {2}. Measurements with a responder have containers and an overlay network of their "
    "own: measure with http."
)


@dataclass(frozen=True, slots=True)
class OverlayArm:
    """An arm on another machine: its part and its column there, its title, and its interface on each network."""

    experiment: str
    column: str
    title: str
    links: dict[str, str]


def find_overlay_arm(
    experiment: str, columns: Sequence[Column], states: Mapping[str, NamespaceState]
) -> OverlayArm | None:
    """The first arm of a part that runs in overlay mode and has an interface on a network."""
    for column in columns:
        if column.mode == Mode.OVERLAY and column.status is ArmStatus.RUNNING and column.key in states:
            found = {name: link_with(states[column.key], address) for name, address in column.networks.items()}
            if links := {name: link.name for name, link in found.items() if link is not None}:
                return OverlayArm(experiment, column.key, column.title, links)
    return None


def overlay_paths(column: Column, state: NamespaceState, arms: Mapping[str, OverlayArm]) -> Iterator[Path]:
    """The paths to an arm in overlay mode from the ``arms`` on other machines, by machine name, over the network that
    both have. Docker resolves the column's key there."""
    for machine, arm in arms.items() if column.mode == Mode.OVERLAY else ():
        kind, title = PathKind.FROM_MACHINE_OVERLAY, f"{arm.title} on machine {machine} to {column.title}"
        title, client = f"{title}, over the overlay network (VXLAN)", f"{MACHINE_KEY}{machine}"
        shared = sorted(column.networks.keys() & arm.links.keys())
        address = column.networks[shared[0]] if shared else ""
        link = link_with(state, address)
        if link is None:
            yield Path(kind, title, client, column.key, unavailable=NOT_SHARED.format(column.title, arm.title, machine))
            continue
        hops = (f"{arm.links[shared[0]]} (on {machine})", f"VXLAN of {shared[0]}", link.name)
        path = Path(kind, title, client, column.key, family_of(address), address, column.port or 80, hops=hops)
        yield replace(path, udp_port=path.port, server_port=path.port, host_name=column.key)


def overlay_problem(column: Column | None, state: NamespaceState | None, address: str) -> str:
    """Why an arm sends no request to this address; empty if another container may have the address on the arm's overlay
    network."""
    if column is None or state is None or column.mode != Mode.OVERLAY or column.status is not ArmStatus.RUNNING:
        return "No arm in overlay mode runs there."
    own = column.networks.values()
    assigned = [one for link in state.interfaces for one in link.addresses if one.address in own]
    subnets = [ipaddress.ip_network(f"{one.address}/{one.prefix}", strict=False) for one in assigned]
    try:
        target = ipaddress.ip_address(address)
    except ValueError:
        return f"“{address[:60]}” is not an IP address."
    if address not in own and any(target in subnet for subnet in subnets):
        return ""
    return f"{address[:60]} is not the address of another container on the overlay network of {column.title}."
