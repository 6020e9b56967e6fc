"""Arms on other machines as clients: containers on the overlay network that an experiment shares between its machines.
The part of the experiment on each machine is driven by the lab of that machine.

A lab does not trust the columns and states that other labs write. Before one of its arms sends a request to an arm on
another machine, the lab checks two things, from what it has itself recorded and observed. The address must be on the
overlay network of the experiment (``overlay_problem``). The name to look up must be that of an arm (``name_problem``).
"""

import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.experiments.messages import ArmStatus, Column
from dashboard.core.modes import Mode
from dashboard.core.namespaces.state import Address, NamespaceState
from dashboard.core.paths.model import MACHINE_KEY, Path, PathKind, family_of, link_with

#: A responder runs in a container with other networks (``core.measurements.responder_experiment``).
NOT_SHARED = (
    "{0} and {1} on {2} share no network. Probes with a responder launch separate containers with a separate overlay "
    "network: use the probe http."
)
#: Docker's resolver asks other servers for names that it does not know. A name without a dot belongs to no domain.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class OverlayArm:
    """An arm on another machine, as a client. ``experiment`` is the id of the part of the experiment on that machine,
    and ``column`` the arm's key in that part. ``links`` maps the name of the overlay network to the name of the arm's
    interface on it."""

    experiment: str
    column: str
    title: str
    links: dict[str, str]


def find_overlay_arm(
    experiment: str, columns: Sequence[Column], states: Mapping[str, NamespaceState], network: str
) -> OverlayArm | None:
    """Returns the first running arm in overlay mode that has an interface on ``network``; None if no arm has one.
    ``columns`` are those of one part of an experiment, and ``experiment`` is the id of this part. ``network`` is the
    name of the network that all parts share."""
    for column in columns:
        if column.mode == Mode.OVERLAY and column.status is ArmStatus.RUNNING and column.key in states:
            link = link_with(states[column.key], column.networks.get(network, ""))
            if link is not None:
                return OverlayArm(experiment, column.key, column.title, {network: link.name})
    return None


def overlay_paths(column: Column, state: NamespaceState, arms: Mapping[str, OverlayArm]) -> Iterator[Path]:
    """Yields the paths to ``column``, if it is in overlay mode, from arms on other machines. ``arms`` has these arms by
    the names of their machines. A path from an arm that shares no network with ``column`` is unavailable. The other
    paths have the key of ``column`` as host name, which Docker's DNS resolves on the shared network."""
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


def overlay_problem(column: Column | None, state: NamespaceState | None, network: str, address: str) -> str:
    """Returns why an arm must not send a request to ``address``; empty if it may.

    ``column`` and ``state`` are those of the arm. ``network`` is the overlay network of the whole experiment. The
    address must be in the arm's subnet of that network, and in none of the arm's other subnets. It must not be an
    address of the arm itself.
    """
    if column is None or state is None or column.mode != Mode.OVERLAY or column.status is not ArmStatus.RUNNING:
        return "The client is not a running arm in overlay mode."
    try:
        target = ipaddress.ip_address(address)
    except ValueError:
        return f"“{address[:60]}” is not an IP address."
    own = column.networks.get(network, "")
    assigned = [(link, one) for link in state.interfaces for one in link.addresses]
    overlay = link_with(state, own)
    around = [(link, one) for link, one in assigned if target in _subnet(one)]
    if (
        any(one.address == own for _link, one in around)
        and all(link is overlay for link, _one in around)
        and all(one.address != address for _link, one in assigned)
        and str(target) == address
    ):
        return ""
    return f"{address[:60]} is not the address of another container on the overlay network of {column.title}."


def _subnet(address: Address) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(f"{address.address}/{address.prefix}", strict=False)


def name_problem(name: str, known: Collection[str]) -> str:
    """Returns why an arm must not look up ``name``; empty if it may. ``known`` are the names of the arms that were on
    the same network when the experiment was launched."""
    if name in known and _NAME.fullmatch(name):
        return ""
    return f"“{name[:60]}” is not the name of an arm on this overlay network."
