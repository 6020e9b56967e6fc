"""Cells of name resolution: the resolver's configuration, lookups and the hosts file."""

from dashboard.core.comparison.cells import Cell, Cells, ObservedColumns, RowKey
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.resolver import NO_RESOLVER, names_only_stub
from dashboard.core.namespaces.state import Lookup, NamespaceState, Origin

ORIGIN_NOTES = {
    Origin.MACHINE: "the machine's file",
    Origin.COPY: "copied from the machine",
    Origin.STRIPPED: "the machine's without loopback servers",
    Origin.FALLBACK: "public servers, because no other was left",
    Origin.DOCKER: "Docker's own resolver",
    Origin.AARDVARK: "aardvark-dns, on the network's bridge",
    Origin.FORWARDED: "passed to the machine's servers",
    Origin.GIVEN: "set with --dns",
    Origin.OTHER: "of another origin",
    Origin.UNREADABLE: "not readable",
}
RESOLVED_SERVERS = "systemd-resolved's servers, from /run/systemd/resolve/resolv.conf"


def has_resolved_servers(observed: ObservedColumns, origin: Origin) -> bool:
    """Whether a resolv.conf of this origin is based on systemd-resolved's list of servers instead of the machine's
    file: a server is left, although the machine's file names 127.0.0.53 only."""
    resolver = observed.machine.resolver if observed.machine is not None else None
    return origin is Origin.STRIPPED and resolver is not None and names_only_stub(resolver)


def dns_cells(observed: ObservedColumns, column: Column, state: NamespaceState) -> Cells:
    """Yields the cells of the resolver's configuration, and of the lookups that were made in the column's
    namespaces."""
    resolver = state.resolver
    if resolver is not None:
        note, readable = observed.name_machine(ORIGIN_NOTES[resolver.origin]), resolver.origin is not Origin.UNREADABLE
        if has_resolved_servers(observed, resolver.origin):
            note = RESOLVED_SERVERS
        absent = "none" if readable else note
        yield (
            RowKey("dns", "resolver", "nameservers", "Name servers", (0, 0)),
            Cell(
                "\n".join(resolver.nameservers) or None, note=note if readable else "", absent=absent, visible=readable
            ),
        )
        yield (
            RowKey("dns", "resolver", "search", "Search domains", (0, 1)),
            Cell(" ".join(resolver.search) or None, absent=absent, visible=readable),
        )
        yield (
            RowKey("dns", "resolver", "options", "Resolver options", (0, 2)),
            Cell(" ".join(resolver.options) or None, absent=absent, visible=readable),
        )
    for number, one in enumerate(state.lookups):
        key = RowKey("dns", f"lookup {one.name}", "", f"lookup “{one.name}”", (1, number, one.name))
        yield key, _lookup_cell(one)


def _lookup_cell(lookup: Lookup) -> Cell:
    note = f"by {lookup.server}" if lookup.server else ""
    if lookup.time_us is not None:
        note = f"{note}, {lookup.time_us / 1000:.1f} ms".removeprefix(", ")
    if not lookup.answers:
        return Cell(None, note=note, absent=lookup.outcome, visible=lookup.outcome != NO_RESOLVER)
    return Cell("\n".join(lookup.answers), note=note)


def hosts_cells(observed: ObservedColumns, column: Column, state: NamespaceState) -> Cells:
    """Yields the cells of the hosts file, one for each name. A container's own host name is in the row “own host name”,
    so that containers can be compared."""
    grouped: dict[str, list[str]] = {}
    for entry in state.hosts:
        for name in entry.names:
            own = name == state.hostname and column.key != MACHINE and not observed.shares_machine(column.key)
            grouped.setdefault("own host name" if own else name, []).append(entry.address)
    for name, addresses in grouped.items():
        rank = (0 if name == "own host name" else 1, name)
        yield RowKey("hosts", name, "", name, rank), Cell("\n".join(addresses))
