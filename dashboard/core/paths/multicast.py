"""The multicast datagrams of “Try”: the links over which the machine sends them, and the result at each container.

The group is that of mDNS (RFC 6762): routers never forward 224.0.0.0/24, and bridges flood it (RFC 4541). The port is
another one, so that no mDNS program receives the datagram.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dashboard.core.experiments.journal import Attempt
from dashboard.core.experiments.messages import ArmStatus, Column
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import Family, Interface, NamespaceState
from dashboard.core.paths.model import veth_links

#: ``Attempt.path`` of a datagram. It is no ``PathKind``: nothing answers it, and it is neither measured nor traced.
MULTICAST = "multicast"
GROUP, PORT = "224.0.0.251", 25353
RECEIVED = "received"
#: The attempt if there is no link to send over.
NOT_SENT = Attempt(
    MULTICAST,
    "Multicast on the machine's link",
    MACHINE,
    "",
    "",
    "",
    unavailable="the machine has no IPv4 default route, and no container is on a visible bridge of the machine",
)


def receiving_columns(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[Column, ...]:
    """The running containers that can be a receiver: one for each network stack."""
    stacks: dict[int, Column] = {}
    for column in columns:
        if column.key != MACHINE and column.status is ArmStatus.RUNNING and column.key in states:
            stacks.setdefault(states[column.key].netns, column)
    return tuple(stacks.values())


def sending_links(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[Interface, ...]:
    """The machine's links to send over: that of the default route, and each bridge of a receiver."""
    machine = states.get(MACHINE)
    if machine is None:
        return ()
    first = _default_link(machine)
    links = {first.name: first} if first is not None else {}
    for column in receiving_columns(columns, states):
        state = states[column.key]
        if state.netns != machine.netns:
            links |= {veth.bridge.name: veth.bridge for veth in veth_links(machine, state) if _has_ipv4(veth.bridge)}
    return tuple(links.values())


def joining_link(state: NamespaceState) -> Interface | None:
    """The link on which a program joins a group unless it chooses another: that of the default route, otherwise the
    first with an IPv4 address; None if there is loopback only."""
    others = (link for link in state.interfaces if link.kind != "loopback" and _has_ipv4(link))
    return _default_link(state) or next(others, None)


def _default_link(state: NamespaceState) -> Interface | None:
    names = [one.interface for one in state.routes if one.destination == "default" and one.family is Family.INET]
    return next((link for name in names for link in state.interfaces if link.name == name and _has_ipv4(link)), None)


def _has_ipv4(link: Interface) -> bool:
    return any(address.family is Family.INET for address in link.addresses)


def link_of(attempt: Attempt) -> str:
    """The machine's link over which a datagram was sent, from the zone in its URL."""
    return attempt.url.partition("%")[2].rpartition(":")[0]


def multicast_attempts(
    link: Interface, columns: Sequence[Column], senders: Mapping[str, str], errors: Mapping[str, str]
) -> Iterator[Attempt]:
    """The results of one datagram. ``senders`` has its source as each receiver saw it, by column; ``errors`` why a
    column could not take part."""
    for column in columns:
        seen = senders.get(column.key, "")
        error = errors.get(column.key, "") or ("" if seen else f"The datagram did not arrive in {column.title}.")
        yield Attempt(
            MULTICAST,
            f"Multicast on the machine's link {link.name} to {column.title}",
            MACHINE,
            column.key,
            f"udp://{GROUP}%{link.name}:{PORT}",
            "",
            reason="" if error else RECEIVED,
            client_seen="" if error else seen,
            error=error,
        )
