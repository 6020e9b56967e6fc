"""The answer at the top of an experiment: what differs, what is the same, and which arms do not run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dashboard.core.comparison.answer.comparison_table import join_titles, one_line
from dashboard.core.comparison.answer.differences import list_differences
from dashboard.core.experiments.messages import Answer, ArmStatus, Column, Relation, Row
from dashboard.core.experiments.stream import row_id
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import Listener, NamespaceState, Protocol
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
_NOT_RUNNING = (ArmStatus.REFUSED, ArmStatus.EXITED, ArmStatus.LOST)
#: What programs and the Engine print if a port is taken (bind(2), EADDRINUSE; moby, libnetwork/portallocator).
_PORT_TAKEN = ("in use", "already allocated")


def describe_same(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """A sentence on the rows that are the same in every column; empty if fewer than two arms run."""
    running = [column for column in columns if column.key != MACHINE and column.status is ArmStatus.RUNNING]
    same = {row_id(row): row for row in rows if row.relation is Relation.SAME}
    if len(running) < 2 or not same:
        return ""
    names = []
    for identity, name in _NAMED_IF_SAME.items():
        row = same.get(identity)
        text = row.cells.get(running[0].key) if row is not None else None
        if text is not None:
            names.append(name.format(one_line(text)))
    others = len(same) - len(names)
    rest = f"{others} other fact{'' if others == 1 else 's'}"
    if not names:
        return f"The same in every column: {others} fact{'' if others == 1 else 's'}."
    return f"The same in every column: {', '.join(names)}{f' and {rest}' if others else ''}."


def _with_full_stop(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _describe_holder(column: Column, columns: Sequence[Column], machine: NamespaceState | None) -> str:
    """Which process listens on the port that an arm could not bind; empty if none was seen."""
    ports = {mapping.host_port for mapping in column.asked} if column.status is ArmStatus.REFUSED else {column.port}
    listeners = machine.listeners if machine is not None else ()
    holder = next((one for one in listeners if one.protocol is Protocol.TCP and one.port in ports), None)
    if holder is None:
        return ""
    title = next((one.title for one in columns if one.key == MACHINE), "")
    return name_machine(f"{_describe_owner(holder, columns)} listens on port {holder.port} of this machine.", title)


def _describe_owner(holder: Listener, columns: Sequence[Column]) -> str:
    process = f"{holder.process} (pid {holder.pid})" if holder.process else "A process that was not identified"
    if holder.container is None:
        return process
    titles = [one.title for one in columns if one.container is not None and one.container.id == holder.container]
    return f"{process} of {titles[0]}" if titles else f"{process} in container {holder.container[:12]}"


def _describe_arm(column: Column, columns: Sequence[Column], machine: NamespaceState | None) -> str:
    if column.status is ArmStatus.LOST:
        return f"{column.title}: the container was removed outside Netmodes."
    if column.status is ArmStatus.REFUSED:
        reason = column.error or "the Engine gave no reason"
        text = f"{column.title}: the Engine refused it: {_with_full_stop(reason)}"
    else:
        code = "" if column.exit_code is None else f" with code {column.exit_code}"
        reason = next((line for line in column.logs if any(words in line for words in _PORT_TAKEN)), "") or (
            column.logs[-1] if column.logs else ""
        )
        text = f"{column.title}: the program exited{code}{f': {_with_full_stop(reason)}' if reason else '.'}"
    taken = any(words in reason for words in _PORT_TAKEN)
    holder = _describe_holder(column, columns, machine) if taken else ""
    return f"{text} {holder} Stop it, or choose another port." if holder else text


def describe_trouble(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[str, ...]:
    """How many arms run, and a sentence on each that was refused, exited or was removed; empty otherwise."""

    def sentences() -> Iterator[str]:
        arms = [column for column in columns if column.key != MACHINE]
        running = [column for column in arms if column.status is ArmStatus.RUNNING]
        stopped = [column for column in arms if column.status in _NOT_RUNNING]
        if stopped:
            which = f": {join_titles(running)}" if running else ""
            yield f"{len(running)} of {len(arms)} containers {'is' if len(running) == 1 else 'are'} running{which}."
        for column in stopped:
            yield _describe_arm(column, columns, states.get(MACHINE))

    return tuple(sentences())


def write_answer(columns: Sequence[Column], rows: Sequence[Row], states: Mapping[str, NamespaceState]) -> Answer:
    """The answer for columns with their rows and states."""
    return Answer(
        list_differences(columns, rows, states.get(MACHINE)),
        describe_same(columns, rows),
        describe_trouble(columns, states),
    )
