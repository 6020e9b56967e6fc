"""Explains why resolvers, lookups and hosts files differ."""

import re

from dashboard.core.comparison.cells import Cell, ObservedColumns, RowKey
from dashboard.core.comparison.name_cells import RESOLVED_SERVERS, has_resolved_servers
from dashboard.core.comparison.phrases import (
    RowCells,
    agree,
    arms_of,
    columns_named,
    columns_with_value,
    has_address_of,
    if_host_mode,
    join_clauses,
    join_titles,
    make_sentence,
)
from dashboard.core.experiments.engine_kind import SHORT_NAMES, EngineKind
from dashboard.core.namespaces.state import Origin

PODMAN_ADDS = "Podman writes the name into the hosts file of every container, with an address for the machine."

_ORIGINS: tuple[tuple[Origin, str, str, str], ...] = (
    (Origin.DOCKER, "has", "have", "Docker's own resolver, as on every user-defined network"),
    (Origin.AARDVARK, "asks", "ask", "aardvark-dns at the address of the network's bridge"),
    (Origin.FORWARDED, "asks", "ask", "pasta or slirp4netns, which passes queries to the machine's servers"),
    (Origin.COPY, "has", "have", "an unchanged copy of the machine's file"),
    (Origin.STRIPPED, "gets", "get", "the machine's servers except loopback addresses"),
    (Origin.FALLBACK, "gets", "get", "public servers, because no other was left"),
    (Origin.GIVEN, "has", "have", "the servers given with --dns"),
    (Origin.OTHER, "has", "have", "a file of another origin"),
)


def explain_dns(observed: ObservedColumns, key: RowKey, cells: RowCells) -> str:
    """Returns why the columns differ in a row about the resolver or a lookup."""
    if key.key == "resolver":
        return _explain_resolver(observed)
    answered = [cell for cell in cells.values() if cell.text is not None]
    if not answered:
        return "No column gets an address: each asks its own servers, and their answers differ."
    if key.key.endswith(" localhost"):
        return "localhost is answered by each column's own hosts file."
    if key.key.endswith(" host.docker.internal") and any(cell.note.startswith("by hosts file") for cell in answered):
        if observed.engine is EngineKind.PODMAN:
            return PODMAN_ADDS
        return "The hosts file has the name where --add-host host.docker.internal:host-gateway added it."
    return (
        _explain_container_name(observed, key.key.removeprefix("lookup "), cells)
        or "Each column asks its own hosts file and its own servers."
    )


def _explain_container_name(observed: ObservedColumns, name: str, cells: RowCells) -> str:
    """Returns which name servers answered the lookup of a container's name, and whether with the container's address.
    Empty if ``name`` is not the name of a container, or if no server answered."""
    named = columns_named(observed.columns, name)
    if not named:
        return ""
    asking = [c for c in columns_with_value(observed, cells) if not cells[c.key].note.startswith("by hosts file")]
    resolving = [c for c in asking if has_address_of(named, cells[c.key].text or "")]
    others = [c for c in asking if c not in resolving]
    if any(cells[c.key].note.startswith("by 127.0.0.11") for c in resolving):
        origin = "Container names resolve only on user-defined networks, through Docker's resolver at 127.0.0.11"
    elif any(_is_answered_by_aardvark(observed, c.key, cells[c.key]) for c in resolving):
        origin = (
            "Container names resolve on user-defined networks, through aardvark-dns; "
            "elsewhere a container resolves only its own, from its hosts file"
        )
    else:
        origin = ""
    return join_clauses(
        origin,
        f"{join_titles(others)} {agree(others, 'gets', 'get')} an address that is not the container's: "
        f"{agree(others, 'its', 'their')} name servers answer for this name, too"
        if others
        else "",
    )


def _is_answered_by_aardvark(observed: ObservedColumns, key: str, cell: Cell) -> bool:
    """Whether aardvark-dns answered the lookup of this column."""
    state = observed.states.get(key)
    if state is None or state.resolver is None or state.resolver.origin is not Origin.AARDVARK:
        return False
    return any(cell.note.startswith(f"by {server}") for server in state.resolver.nameservers)


def _explain_resolver(observed: ObservedColumns) -> str:
    parts = []
    for origin, singular, plural, source in _ORIGINS:
        columns = [
            c for c in arms_of(observed) if (found := observed.states[c.key].resolver) and found.origin is origin
        ]
        if columns:
            servers = RESOLVED_SERVERS if has_resolved_servers(observed, origin) else source
            parts.append(f"{join_titles(columns)} {agree(columns, singular, plural)} {servers}")
    return join_clauses(*parts) or "Each container has its own resolv.conf, written when it starts."


def explain_hosts(observed: ObservedColumns, key: RowKey, cells: RowCells) -> str:
    """Returns why the columns differ in a row about the hosts file."""
    if key.key == "own host name":
        return make_sentence(
            f"{SHORT_NAMES[observed.engine]} writes a container's own name and address into its hosts file",
            if_host_mode(observed, "host mode has the machine's file") if observed.engine is EngineKind.DOCKER else "",
        )
    if observed.engine is EngineKind.PODMAN and key.key in {"host.docker.internal", "host.containers.internal"}:
        return PODMAN_ADDS
    option = re.compile(rf" --add-host '?{re.escape(key.key)}[:=]")  # quoted if an IPv6 address is in brackets
    added = [c for c in columns_with_value(observed, cells) if option.search(c.command)]
    if added:
        return f"--add-host put the name into the hosts file of {join_titles(added)}."
    copied = (
        "Host mode starts from a copy of the machine's hosts file (--add-host discards it); "
        "others start with a new one."
    )
    return (
        if_host_mode(observed, copied) if observed.engine is EngineKind.DOCKER else ""
    ) or "Each container has its own hosts file, written when it starts."
