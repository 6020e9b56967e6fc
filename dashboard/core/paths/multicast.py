"""The multicast datagrams of “Try”: the links over which the machine sends them, and the result at each container.

The group is that of mDNS (RFC 6762): routers never forward 224.0.0.0/24, and bridges flood it (RFC 4541). The port is
another one, so that no mDNS program receives the datagram.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from dashboard.core.experiments.journal import Attempt
from dashboard.core.experiments.messages import ArmStatus, Column
from dashboard.core.modes import MACHINE, OBSERVERS
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
        if column.key not in OBSERVERS and column.status is ArmStatus.RUNNING and column.key in states:
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


def expected_losses(link: Interface, columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> dict[str, str]:
    """Why a datagram over ``link`` of the machine does not reach a column, by column; columns that it reaches are
    omitted."""
    machine = states.get(MACHINE)
    if machine is None:
        return {}
    reasons = {column.key: _why_lost(link, machine, states[column.key]) for column in columns if column.key in states}
    return {column.key: f"{column.title} {reasons[column.key]}" for column in columns if reasons.get(column.key)}


def _why_lost(link: Interface, machine: NamespaceState, state: NamespaceState) -> str:
    """Why a column receives no datagram. Empty if a program joins the group where the datagram arrives: on ``link``, or
    behind a veth pair on it."""
    joined = joining_link(state)
    if joined is None:
        return "has no link with an IPv4 address, on which it could join the group"
    if state.netns == machine.netns:
        return "" if joined.name == link.name else f"joins the group on {joined.name}, not on {link.name}"
    inner = {veth.inner.name for veth in veth_links(machine, state) if veth.bridge.name == link.name}
    return (
        ""
        if joined.name in inner
        else f"joins the group on its own {joined.name}, which multicast on the machine's {link.name} does not reach"
    )


def link_of(attempt: Attempt) -> str:
    """The machine's link over which a datagram was sent, from the zone in its URL."""
    return attempt.url.partition("%")[2].rpartition(":")[0]


def multicast_attempts(
    link: Interface,
    columns: Sequence[Column],
    senders: Mapping[str, str],
    errors: Mapping[str, str],
    losses: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Attempt]:
    """The results of one datagram. ``senders`` has its source as each receiver saw it, by column; ``errors`` why a
    column could not take part; ``losses`` the ``expected_losses``, which are not failures."""
    for column in columns:
        seen, error, loss = (texts.get(column.key, "") for texts in (senders, errors, losses))
        missing = f"The datagram did not arrive in {column.title}"
        expected = bool(loss and not error and not seen)
        error = error or ("" if seen or expected else f"{missing}.")
        yield Attempt(
            MULTICAST,
            f"Multicast on the machine's link {link.name} to {column.title}",
            MACHINE,
            column.key,
            f"udp://{GROUP}%{link.name}:{PORT}",
            "",
            reason="" if error or expected else RECEIVED,
            client_seen="" if error else seen,
            error=error,
            unavailable=f"{missing}, as expected: {loss}." if expected else "",
        )
