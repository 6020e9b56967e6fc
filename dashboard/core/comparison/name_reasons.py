"""Explains why resolvers, lookups and hosts files differ."""

import re

from dashboard.core.comparison.cells import ObservedColumns, RowKey
from dashboard.core.comparison.name_cells import RESOLVED_SERVERS, has_resolved_servers
from dashboard.core.comparison.phrases import (
    RowCells,
    agree,
    arms_of,
    columns_with_value,
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
    container_names = {
        name for c in observed.columns if c.container for name in (c.key, c.container.name, c.container.id[:12])
    }
    if key.key.removeprefix("lookup ") in container_names and any(
        cell.note.startswith("by 127.0.0.11") for cell in answered
    ):
        return "Container names resolve only on user-defined networks, through Docker's resolver at 127.0.0.11."
    if key.key.removeprefix("lookup ") in container_names and _is_answered_by_aardvark(observed, cells):
        return (
            "Container names resolve on user-defined networks, through aardvark-dns; "
            "elsewhere a container resolves only its own, from its hosts file."
        )
    return "Each column asks its own hosts file and its own servers."


def _is_answered_by_aardvark(observed: ObservedColumns, cells: RowCells) -> bool:
    """Whether aardvark-dns answered the lookup of this row in at least one column."""
    resolvers = {key: state.resolver for key, state in observed.states.items() if state.resolver is not None}
    return any(
        cells[key].text is not None and any(cells[key].note.startswith(f"by {server}") for server in one.nameservers)
        for key, one in resolvers.items()
        if one.origin is Origin.AARDVARK
    )


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
