"""The answer at the top of an experiment: what differs, what is the same, and which containers do not run."""

from collections.abc import Iterator, Mapping, Sequence

from dashboard.core.comparison.answer.comparison_table import one_line
from dashboard.core.comparison.answer.differences import list_differences
from dashboard.core.comparison.phrases import join_names, join_titles, with_full_stop
from dashboard.core.experiments.launching.ports import HostPort, PortUser, find_holder, port_in_message, ports_of
from dashboard.core.experiments.messages import Answer, ArmStatus, Column, ExperimentRef, Relation, Row
from dashboard.core.experiments.stream import row_id
from dashboard.core.modes import MACHINE, OBSERVERS, Mode, is_observer
from dashboard.core.namespaces.state import NamespaceState, Protocol
from dashboard.core.namespaces.visibility import name_machine

#: Rows that the sentence about sameness names, the most telling first; ``{}`` is the text of the cell.
_NAMED_IF_SAME = {
    "identity/netns/": "network namespace",
    "identity/address/": "address {}",
    "dns/resolver/nameservers": "name servers {}",
    "interfaces/eth0/mtu": "MTU of eth0 ({})",
    "identity/namespace user/": "user namespace",
    "identity/namespace cgroup/": "cgroup namespace",
    "dns/lookup localhost/": "localhost ({})",
}
#: The maximum number of rows that it names, so that the sentence stays short.
MAX_NAMED = 3
NOT_RUNNING = (ArmStatus.REFUSED, ArmStatus.EXITED, ArmStatus.LOST)
#: What programs and the Engine print if a port is taken (bind(2), EADDRINUSE; moby, libnetwork/portallocator).
_PORT_TAKEN = ("in use", "already allocated")


def describe_same(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """Returns a sentence on the rows that are the same in every column; empty if fewer than two arms run, or if
    no row is the same."""
    running = [column for column in columns if not is_observer(column.key) and column.status is ArmStatus.RUNNING]
    same = {row_id(row): row for row in rows if row.relation is Relation.SAME}
    if len(running) < 2 or not same:
        return ""
    names: list[str] = []
    for identity, name in _NAMED_IF_SAME.items():
        row = same.get(identity)
        text = row.cells.get(running[0].key) if row is not None else None
        if text is not None and len(names) < MAX_NAMED:
            names.append(name.format(one_line(text)))
    others = len(same) - len(names)
    rest = f"{others} other fact{'' if others == 1 else 's'}"
    if not names:
        return f"The same in every column: {others} fact{'' if others == 1 else 's'}."
    return f"The same in every column: {', '.join(names)}{f' and {rest}' if others else ''}."


def _reason(column: Column) -> str:
    """Returns why an arm was refused or exited, in the words of the Engine or of the program; empty if neither gave a
    reason."""
    if column.status is ArmStatus.REFUSED:
        return column.error or ""
    if column.status is not ArmStatus.EXITED:
        return ""
    last = column.logs[-1] if column.logs else ""
    return next((line for line in column.logs if _says_taken(line)), last)


def _says_taken(reason: str) -> bool:
    return any(words in reason for words in _PORT_TAKEN)


def has_taken_port(columns: Sequence[Column]) -> bool:
    """Whether an arm does not run because a port that it needs is taken. Only then does the answer need the containers
    of other experiments."""
    return any(_says_taken(_reason(column)) for column in columns)


def _own_users(columns: Sequence[Column]) -> list[PortUser]:
    return [
        PortUser(column.container.id, column.title, ports_of(column.published))
        for column in columns
        if column.container is not None and column.status is ArmStatus.RUNNING
    ]


def _wanted_ports(column: Column, reason: str) -> list[HostPort]:
    """Returns the ports that the arm may have failed to bind: the one that its message ``reason`` names. If the message
    names none, returns all ports that the arm requested if the Engine refused it; otherwise the arm's own port."""
    if (named := port_in_message(reason)) is not None:
        return [HostPort(named)]
    if column.status is ArmStatus.REFUSED:
        return list(ports_of(column.asked))
    return [] if column.port is None else [HostPort(column.port)]


def describe_refused(titles: Sequence[str], reason: str | None) -> str:
    """Returns a sentence on the arms with these ``titles``, which the Engine refused for the same reason. ``reason`` is
    the Engine's message, empty or None if it gave none."""
    return f"{join_names(titles)} could not be launched: {with_full_stop(reason or 'the Engine gave no reason')}"


def _describe_arm(
    column: Column, columns: Sequence[Column], states: Mapping[str, NamespaceState], others: Sequence[PortUser]
) -> tuple[str, ExperimentRef | None]:
    if column.status is ArmStatus.LOST:
        return f"{column.title}: the container was removed outside Netmodes.", None
    reason = _reason(column)
    if column.status is ArmStatus.REFUSED:
        text = describe_refused([column.title], reason)
    else:
        code = "" if column.exit_code is None else f" with code {column.exit_code}"
        text = f"{column.title}: the program exited{code}{f': {with_full_stop(reason)}' if reason else '.'}"
    if not _says_taken(reason):
        return text, None
    ports = _wanted_ports(column, reason)
    owner = next((one for one in columns if one.key == column.target), column)
    if column.status is ArmStatus.EXITED and owner.mode != Mode.HOST:
        shared = _describe_shared(column, owner, columns, states, ports) if owner is not column else ""
        return f"{text} {shared}".rstrip(), None
    machine = states.get(MACHINE)
    users = [*_own_users(columns), *others]
    listeners = machine.listeners if machine is not None else ()
    holders = [find_holder(port, listeners, users) for port in ports]
    holder = next((one for one in holders if one is not None), None)
    if holder is None:
        return text, None
    title = next((one.title for one in columns if one.key == MACHINE), "")
    return f"{text} {name_machine(holder.sentence, title)} Stop it, or choose another port.", holder.experiment


def _describe_shared(
    column: Column,
    owner: Column,
    columns: Sequence[Column],
    states: Mapping[str, NamespaceState],
    ports: Sequence[HostPort],
) -> str:
    """Returns a sentence on the program that holds one of ``ports`` in the network stack of ``owner``, which ``column``
    shares. Empty if no program is known to hold one."""
    wanted = {port.port for port in ports}
    listeners = states[owner.key].listeners if owner.key in states else ()
    listener = next((one for one in listeners if one.protocol is Protocol.TCP and one.port in wanted), None)
    if listener is None:
        return ""
    holder = next((one for one in columns if one.container and one.container.id == listener.container), None)
    process = (listener.process or "An unidentified process") + (f" of {holder.title}" if holder is not None else "")
    stack = f"the network stack of {owner.title}, which {column.title} shares"
    return f"{process} listens on port {listener.port} in {stack}."


def _count_running(running: Sequence[Column], arms: int) -> str:
    if not running:
        return "The container is not running." if arms == 1 else f"None of the {arms} containers is running."
    verb = "is" if len(running) == 1 else "are"
    return f"{len(running)} of {arms} containers {verb} running: {join_titles(running)}."


def _group_refused(columns: Sequence[Column]) -> Sequence[list[Column]]:
    """Groups the arms that were refused for the same reason. Arms that were refused because a port is taken are not
    grouped, because they may want different ports."""
    groups: dict[str, list[Column]] = {}
    for column in columns:
        alike = column.status is ArmStatus.REFUSED and not _says_taken(_reason(column))
        groups.setdefault(f"refused {column.error}" if alike else column.key, []).append(column)
    return list(groups.values())


def describe_trouble(
    columns: Sequence[Column], states: Mapping[str, NamespaceState], others: Sequence[PortUser] = ()
) -> tuple[tuple[str, ExperimentRef | None], ...]:
    """Returns sentences about the arms that do not run; empty if no arm was refused, exited or was removed.

    The first sentence states how many arms run. Each other sentence is about one arm, or about several that the Engine
    refused for the same reason. It is paired with the other experiment that holds the port that the arm needs. The pair
    has None if there is no such experiment. ``others`` are the containers of other experiments.
    """

    def entries() -> Iterator[tuple[str, ExperimentRef | None]]:
        arms = [column for column in columns if column.key not in OBSERVERS]
        running = [column for column in arms if column.status is ArmStatus.RUNNING]
        stopped = [column for column in arms if column.status in NOT_RUNNING]
        if stopped:
            yield _count_running(running, len(arms)), None
        for alike in _group_refused(stopped):
            if len(alike) > 1:
                yield describe_refused([column.title for column in alike], alike[0].error), None
            else:
                yield _describe_arm(alike[0], columns, states, others)

    return tuple(entries())


def write_answer(
    columns: Sequence[Column],
    rows: Sequence[Row],
    states: Mapping[str, NamespaceState],
    others: Sequence[PortUser] = (),
) -> Answer:
    """Returns the answer for an experiment on one machine. ``others`` are the containers of other experiments: one of
    them may hold a port that an arm needs."""
    trouble = describe_trouble(columns, states, others)
    return Answer(
        list_differences(columns, rows, states.get(MACHINE)),
        describe_same(columns, rows),
        tuple(sentence for sentence, _holder in trouble),
        tuple(holder for _sentence, holder in trouble),
    )
