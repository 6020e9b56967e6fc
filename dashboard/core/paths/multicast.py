"""The multicast datagrams of “Try”: over which links the machine sends them, and which containers receive them.

The group is that of mDNS (RFC 6762): routers never forward 224.0.0.0/24, and bridges flood it (RFC 4541). The port is
not that of mDNS, so that no mDNS program receives the datagram.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from dashboard.core.experiments.journal import Attempt
from dashboard.core.experiments.messages import ArmStatus, Column
from dashboard.core.modes import MACHINE, OBSERVERS
from dashboard.core.namespaces.links import default_routes
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
    """Returns the running containers that can receive datagrams, one for each network stack."""
    stacks: dict[int, Column] = {}
    for column in columns:
        if column.key not in OBSERVERS and column.status is ArmStatus.RUNNING and column.key in states:
            stacks.setdefault(states[column.key].netns, column)
    return tuple(stacks.values())


def sending_links(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[Interface, ...]:
    """Returns the machine's links over which datagrams are sent: the link of the default route, and each receiver's
    bridge."""
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
    """Returns the link on which a program joins a group if it does not choose one: that of the default route, otherwise
    the first with an IPv4 address. None if there is only loopback."""
    others = (link for link in state.interfaces if link.kind != "loopback" and _has_ipv4(link))
    return _default_link(state) or next(others, None)


def _default_link(state: NamespaceState) -> Interface | None:
    names = [route.interface for route in default_routes(state.routes) if route.family is Family.INET]
    return next((link for name in names for link in state.interfaces if link.name == name and _has_ipv4(link)), None)


def _has_ipv4(link: Interface) -> bool:
    return any(address.family is Family.INET for address in link.addresses)


def expected_losses(link: Interface, columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> dict[str, str]:
    """Returns why a datagram over ``link`` of the machine cannot reach a column, by the key of the column. Columns that
    it can reach are left out."""
    machine = states.get(MACHINE)
    if machine is None:
        return {}
    reasons = {column.key: _why_lost(link, machine, states[column.key]) for column in columns if column.key in states}
    return {column.key: f"{column.title} {reasons[column.key]}" for column in columns if reasons.get(column.key)}


def _why_lost(link: Interface, machine: NamespaceState, state: NamespaceState) -> str:
    """Returns why a column receives no datagram that the machine sends over ``link``; empty if it does. A program in
    the column's namespace must join the group where the datagram arrives. In the machine's namespace, this is ``link``
    itself. In another namespace, it is a veth interface behind the bridge ``link``."""
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
    """Returns the name of the machine's link over which a datagram was sent. It is the zone in the attempt's URL."""
    return attempt.url.partition("%")[2].rpartition(":")[0]


def multicast_attempts(
    link: Interface,
    columns: Sequence[Column],
    senders: Mapping[str, str],
    errors: Mapping[str, str],
    losses: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Attempt]:
    """Yields the results of one datagram, one for each column. An expected loss is not a failure.

    The keys of the mappings are column keys. ``senders`` has the source address that the column saw on the datagram,
    ``errors`` the reason why the column could not take part, and ``losses`` the reason why the column is expected to
    lose the datagram (``expected_losses``).
    """
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
