"""Rules that describe a difference between columns in a sentence, the most important first.

Each sentence follows from a row of the comparison. A rule returns the row and the sentence, or None if no row proves
what the rule would state.
"""

from collections.abc import Callable, Mapping, Sequence

from dashboard.core.comparison.answer.comparison_table import ComparisonTable, join_addresses, one_line
from dashboard.core.comparison.answer.outside import offer_to_the_lan
from dashboard.core.comparison.phrases import (
    agree,
    columns_named,
    has_address_of,
    join_clauses,
    join_names,
    join_titles,
)
from dashboard.core.experiments.launching.ports import may_belong_to
from dashboard.core.experiments.messages import ArmStatus, Column, Relation, Row
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.resolver import is_loopback

#: The maximum number of published addresses that a sentence names for each column.
MAX_PORTS = 3
#: The modes in which the Engine publishes ports. It withdraws them when the container leaves its network.
_PUBLISHING = frozenset({Mode.BRIDGE, Mode.USER_BRIDGE, Mode.OVERLAY})
Rule = Callable[[ComparisonTable], tuple[Row, str] | None]


def _namespace(table: ComparisonTable, row: Row) -> str:
    sharing = table.sharing_machine
    separate = [columns for _text, columns in table.by_text(row) if not any(column in sharing for column in columns)]
    alone = [columns[0] for columns in separate if len(columns) == 1]
    parts = []
    if sharing:
        parts.append(f"{join_titles(sharing)} {agree(sharing, 'uses', 'use')} this machine's network namespace")
    if alone:
        parts.append(f"{join_titles(alone)} {agree(alone, 'has its own', 'each have their own')}")
    parts += [f"{join_titles(columns)} share one" for columns in separate if len(columns) > 1]
    sentence = join_clauses(*parts)
    return sentence if sharing or not sentence else f"Network namespaces: {sentence}"


def _discarded(table: ComparisonTable) -> tuple[Row, str] | None:
    same = [row for row in table.rows if row.relation is Relation.SAME]
    for row in table.differing_rows("published") + same:
        requested = table.row(f"published/{row.key}/asked")
        if row.section != "published" or row.field != "published" or requested is None:
            continue
        discarded = [one for one in table.running_without_text(row) if requested.cells.get(one.key) is not None]
        if discarded:
            withdrawn = [one for one in discarded if one.mode in _PUBLISHING]
            chosen = [one for one in discarded if one not in withdrawn] or withdrawn
            where = join_names(one_line(requested.cells[one.key] or "") for one in chosen)
            titles = join_titles(chosen)
            if chosen == withdrawn:
                return row, f"{row.key} of {titles} was requested at {where} and is not published."
            return (
                row,
                f"The Engine discarded -p for {titles}: {row.key} was requested at {where} and is not published.",
            )
    return None


def _join_ports(by_address: Mapping[str, Sequence[str]]) -> str:
    """Lists the ports that a column publishes. ``by_address`` maps each published address of the machine to the ports
    of the container. If there are more than ``MAX_PORTS`` addresses, the list ends with the number of ports at those
    that it omits."""
    published = [f"{join_names(keys)} at {join_addresses(text)}" for text, keys in by_address.items()]
    if len(published) <= MAX_PORTS:
        return join_names(published)
    rest = sum(len(keys) for keys in [*by_address.values()][MAX_PORTS - 1 :])
    return join_names([*published[: MAX_PORTS - 1], f"{rest} other ports"])


def _published(table: ComparisonTable) -> tuple[Row, str] | None:
    first: Row | None = None
    ports: dict[str, dict[str, list[str]]] = {}
    for row in table.differing_rows("published"):
        for column in table.with_text(row) if row.field == "published" else ():
            first = first or row
            ports.setdefault(column.title, {}).setdefault(row.cells[column.key] or "", []).append(row.key)
    if first is None:
        return None
    parts = [f"{title} publishes {_join_ports(by_address)}" for title, by_address in ports.items()]
    listeners = table.machine.listeners if table.machine is not None else ()
    for column in table.sharing_machine:
        on_port = [one for one in listeners if (one.protocol, one.port) == ("tcp", column.port)]
        if any(may_belong_to(one, column) for one in on_port):
            parts.append(f"{column.title} listens on the machine's port {column.port}, without forwarding")
    return first, join_clauses(*parts)


def _address(table: ComparisonTable, row: Row) -> str:
    parts = [f"{join_titles(columns)} {agree(columns, 'has', 'have')} {text}" for text, columns in table.by_text(row)]
    without: dict[str, list[Column]] = {}
    missing = table.running_without_text(row)
    for column in (one for one in missing if not one.invisible):
        if column in table.sharing_machine:
            source = "the machine's"
        else:
            source = f"that of {column.target or 'its target'}" if column.mode == Mode.CONTAINER else ""
        without.setdefault(source, []).append(column)
    for source, columns in without.items():
        uses = f" and {agree(columns, 'uses', 'use')} {source}" if source else ""
        parts.append(f"{join_titles(columns)} {agree(columns, 'has', 'have')} no separate address{uses}")
    # If a column's network stack cannot be read, only the addresses that the Engine assigned are known.
    unassigned = [one for one in missing if one.invisible]
    parts += [f"the Engine assigned none to {join_titles(unassigned)}"] if unassigned else []
    return join_clauses(*parts)


def _resolver(table: ComparisonTable, row: Row) -> str:
    groups: dict[tuple[str, str], list[Column]] = {}
    for column in table.with_text(row):
        groups.setdefault((row.cells[column.key] or "", row.notes.get(column.key, "")), []).append(column)
    parts = [
        f"{join_titles(columns)} {agree(columns, 'uses', 'use')} {one_line(text)}{f' ({note})' if note else ''}"
        for (text, note), columns in groups.items()
    ]
    return f"Name servers: {join_clauses(*parts)}" if parts else ""


def _lookup(table: ComparisonTable) -> tuple[Row, str] | None:
    for row in table.differing_rows("dns"):
        name = row.key.removeprefix("lookup ")
        named = columns_named(table.arms, name) if row.key.startswith("lookup ") else []
        answered, missing = table.with_text(row), table.running_without_text(row)
        resolving = [column for column in answered if has_address_of(named, row.cells[column.key] or "")]
        others = [column for column in answered if column not in resolving]
        if resolving and (missing or others):
            not_in = f", not in {join_titles(missing)}" if missing else ""
            return row, join_clauses(
                f"The container's name “{name}” resolves in {join_titles(resolving)}{not_in}",
                f"{join_titles(others)} {agree(others, 'gets', 'get')} another address" if others else "",
            )
    return None


def _hosts(table: ComparisonTable) -> tuple[Row, str] | None:
    common = ("own host name", "localhost", "ip6-")
    for row in sorted(table.differing_rows("hosts"), key=lambda row: row.key.startswith(common)):
        having, missing = table.with_text(row), table.running_without_text(row)
        name = "its host name" if row.key == "own host name" else f"“{row.key}”"
        if having and missing:
            sentence = f"The hosts file of {join_titles(having)} lists {name}; that of {join_titles(missing)} does not."
            return row, sentence
    return None


def _describe_ports(ports: int, outside: int) -> str:
    """Describes ``ports`` listening ports. At ``outside`` of them, a socket is bound to an address other than loopback.
    Whether a firewall lets requests through is not known."""
    if ports == 1:
        return f"only listening port, which is bound to {'a non-loopback address' if outside else 'loopback only'}"
    which = "all" if outside == ports else outside or "none"
    return f"{ports} listening ports, {which} of them bound to non-loopback addresses"


def _open_ports(table: ComparisonTable) -> tuple[Row, str] | None:
    # The rows without a port number are those of Docker's resolver and of sockets that only send.
    rows = [row for row in table.rows if row.section == "listeners" and " :" in row.key]
    sharing = table.sharing_machine
    machine = [row for row in rows if row.cells.get(MACHINE) is not None]
    separate = [arm for arm in table.arms if arm not in sharing and arm.status is ArmStatus.RUNNING]
    proof = next((row for row in machine if row.differs), None)
    if not sharing or not separate or proof is None or table.machine is None:
        return None
    bound = {f"{one.protocol} :{one.port}" for one in table.machine.listeners if not is_loopback(one.address)}
    most = max(sum(row.cells.get(one.key) is not None for row in rows) for one in separate)
    only = "only " if most < len(machine) else ""
    count = "none" if most == 0 else f"{only}{most}" if len(separate) == 1 else f"at most {most}"
    sentence = (
        f"{join_titles(sharing)} {agree(sharing, 'shares', 'share')} this machine's "
        f"{_describe_ports(len(machine), sum(row.key in bound for row in machine))}; "
        f"{join_titles(separate)} {agree(separate, 'has', 'have')} {count}."
    )
    return proof, sentence


def _low_ports(table: ComparisonTable, row: Row) -> str:
    parts = [f"from {text} in {join_titles(columns)}" for text, columns in table.by_text(row, machine=True)]
    return f"Without root a program may bind ports {join_clauses(*parts)}" if parts else ""


def _default_route(table: ComparisonTable) -> tuple[Row, str] | None:
    row = next((row for row in table.differing_rows("routes") if row.key == "default"), None)
    if row is None:
        return None
    parts = [f"{join_titles(columns)} {one_line(text)}" for text, columns in table.by_text(row)]
    missing = table.running_without_text(row)
    parts += [f"{join_titles(missing)} {agree(missing, 'has', 'have')} no default route"] if missing else []
    return row, f"Default route: {join_clauses(*parts)}"


def _hostname(table: ComparisonTable, row: Row) -> str:
    parts = [f"{text} in {join_titles(columns)}" for text, columns in table.by_text(row)]
    return f"The host name is {join_clauses(*parts)}" if parts else ""


def _on_row(identity: str, describe: Callable[[ComparisonTable, Row], str]) -> Rule:
    """Returns a rule about the row with the id ``identity``. If the columns differ in this row, the rule states the
    sentence that ``describe`` returns."""

    def rule(table: ComparisonTable) -> tuple[Row, str] | None:
        row = table.differing_row(identity)
        sentence = describe(table, row) if row is not None else ""
        return (row, sentence) if row is not None and sentence else None

    return rule


#: All rules by importance: their differences are listed in this order.
RULES: tuple[tuple[str, Rule], ...] = (
    ("namespace", _on_row("identity/netns/", _namespace)),
    ("discarded", _discarded),
    ("published", _published),
    ("outside", offer_to_the_lan),
    ("address", _on_row("identity/address/", _address)),
    ("resolver", _on_row("dns/resolver/nameservers", _resolver)),
    ("lookup", _lookup),
    ("hosts", _hosts),
    ("open-ports", _open_ports),
    ("low-ports", _on_row("sysctls/net.ipv4.ip_unprivileged_port_start/", _low_ports)),
    ("route", _default_route),
    ("hostname", _on_row("identity/hostname/", _hostname)),
)
