"""States what each container offers to another machine on the LAN over TCP, according to the machine's listeners and
the published ports."""

from collections.abc import Iterable, Iterator, Sequence

from dashboard.core.comparison.answer.comparison_table import ComparisonTable
from dashboard.core.comparison.phrases import agree, join_clauses
from dashboard.core.experiments.launching.ports import may_belong_to
from dashboard.core.experiments.messages import ArmStatus, Column, Row
from dashboard.core.modes import NEIGHBOUR
from dashboard.core.namespaces.addresses import format_endpoint, primary_addresses
from dashboard.core.namespaces.links import SUB_INTERFACES
from dashboard.core.namespaces.resolver import is_loopback
from dashboard.core.namespaces.state import Listener, NamespaceState

_ANY_IPV4, _ANY_IPV6 = "0.0.0.0", "::"  # noqa: S104 - compared, not bound


def offer_to_the_lan(table: ComparisonTable) -> tuple[Row, str] | None:
    """Returns a row and a sentence. The sentence states what each container offers to the LAN over TCP; the row proves
    it. None if the experiment has no neighbour, no container runs, no IPv4 address of the machine is known, or no row
    proves the sentence."""
    machine = table.machine
    if machine is None or all(column.key != NEIGHBOUR for column in table.columns):
        return None
    addresses = primary_addresses(machine)
    row = next(_rows(table), None)
    if row is None or not any(":" not in address for address in addresses):
        return None
    running = [column for column in table.arms if column.status is ArmStatus.RUNNING]
    parts = [_describe(column, machine, addresses, shares=column in table.sharing_machine) for column in running]
    text = join_clauses(*parts)
    return (row, f"To another machine on the LAN, over TCP, {text}") if text else None


def _rows(table: ComparisonTable) -> Iterator[Row]:
    """Yields the rows that can prove what the containers offer to the LAN: those of published ports, then those of the
    ports on which containers in host mode listen."""
    yield from (row for row in table.rows if (row.section, row.field) == ("published", "published"))
    ports = (table.row(f"listeners/tcp :{column.port}/") for column in table.sharing_machine)
    yield from (row for row in ports if row is not None)


def _describe(column: Column, machine: NamespaceState, addresses: Sequence[str], *, shares: bool) -> str:
    if shares:
        on_port = [one for one in machine.listeners if (one.protocol, one.port) == ("tcp", column.port)]
        own = [listener for listener in on_port if may_belong_to(listener, column)]
        if endpoints := _endpoints(((_bound(one), one.port) for one in own), addresses):
            return f"{column.title} offers {', '.join(endpoints)}"
        other = f": {on_port[0].process} holds port {column.port}" if on_port else ""
        return f"{column.title} offers nothing" + (": it listens on loopback only" if own else other)
    published = [one for one in column.published if one.protocol == "tcp"]
    ports = [one for one in published if one.host_port]
    if endpoints := _endpoints(((port.host_address, port.host_port) for port in ports), addresses):
        return (
            f"{column.title} offers only its published {agree([column] * len(endpoints), 'port', 'ports')} "
            + ", ".join(endpoints)
        )
    if ports:
        return f"{column.title} offers nothing: it publishes on loopback only"
    no_port = f"{column.title} offers no port of the machine"
    if published:
        return f"{no_port}: its network is routed, so its ports are open at its own address"
    if column.mode in SUB_INTERFACES:
        return f"{no_port}: it has its own address on the parent's network"
    return f"{column.title} offers nothing: it publishes no TCP port"


def _bound(listener: Listener) -> str:
    """Returns the address to which a listener is bound. If this is ``::`` and the socket accepts IPv4 as well (ipv6(7),
    IPV6_V6ONLY), returns the IPv4 wildcard, so that the sentence names an IPv4 address."""
    both = listener.address == _ANY_IPV6 and not listener.v6only
    return _ANY_IPV4 if both else listener.address


def _endpoints(bound: Iterable[tuple[str, int]], addresses: Sequence[str]) -> list[str]:
    """Returns the endpoints at which another machine on the LAN reaches these sockets.

    ``bound`` are the sockets, as pairs of address and port. ``addresses`` are those of the machine on the LAN; one of
    them replaces a wildcard address. Loopback addresses are left out. A port that is reached over IPv4 is not listed
    again for the IPv6 wildcard.
    """
    outside = [one for one in bound if not is_loopback(one[0])]
    everywhere = {port for address, port in outside if address in {"", _ANY_IPV4}}
    ipv4, ipv6 = (next((one for one in addresses if (":" in one) is wanted), "") for wanted in (False, True))
    found: dict[str, None] = {}
    for address, port in outside:
        if address == _ANY_IPV6:
            place = "" if port in everywhere else ipv6
        else:
            place = ipv4 if address in {"", _ANY_IPV4} else address
        if place:
            found[format_endpoint(place, port)] = None
    return list(found)
