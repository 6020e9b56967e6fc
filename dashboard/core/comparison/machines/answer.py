"""The answer for an experiment on several machines: how their engines and kernels differ, then the answer for each
machine."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dashboard.core.comparison.answer.answer import describe_same, describe_trouble, write_answer
from dashboard.core.comparison.answer.differences import MAX_DIFFERENCES, list_differences
from dashboard.core.comparison.machines.rows import ENGINE_SECTION, ObservedGroup, observe_groups
from dashboard.core.comparison.phrases import join_names
from dashboard.core.comparison.row_building import section_rows
from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.experiments.launching.ports import PortUser
from dashboard.core.experiments.machines.groups import shared_titles
from dashboard.core.experiments.messages import Answer, Column, Difference, ExperimentRef, Row
from dashboard.core.experiments.stream import row_id
from dashboard.core.namespaces.state import NamespaceState

#: The facts about machines that the answer states.
_STATED = ("version", "kernel", "firewall")


def answer(
    columns: Sequence[Column],
    rows: Sequence[Row],
    states: Mapping[str, NamespaceState],
    others: Sequence[PortUser] = (),
) -> Answer:
    """Returns the answer for an experiment on one or on several machines. ``others`` are the containers of other
    experiments: one of them may hold a port that an arm needs."""
    groups = observe_groups(columns, states)
    return (
        _answer_for_machines(groups, columns, rows, others) if groups else write_answer(columns, rows, states, others)
    )


def _answer_for_machines(
    groups: Sequence[ObservedGroup], columns: Sequence[Column], rows: Sequence[Row], others: Sequence[PortUser]
) -> Answer:
    """Combines the answers of the machines. A difference between modes that exists on several machines is stated once.
    Its sentence names the arms by the titles that they have in common on these machines (``shared_titles``)."""
    found: dict[tuple[str, str, str], list[Difference]] = {}
    machines: dict[tuple[str, str, str], list[str]] = {}
    trouble: list[tuple[str, ExperimentRef | None]] = []
    for group, titles in zip(groups, shared_titles([one.group for one in groups]), strict=True):
        observed, name = group.observed, group.group.machine
        own = [row for section in SECTIONS for row in section_rows(observed, section.key)]
        renamed = [replace(column, title=titles.get(column.key, column.title)) for column in observed.columns]
        shared = list_differences(renamed, own, observed.machine)
        for one, common in zip(list_differences(observed.columns, own, observed.machine), shared, strict=True):
            identity = (common.rule, common.sentence, common.row)
            found.setdefault(identity, []).append(one)
            machines.setdefault(identity, []).append(name)
        users = [user for user in others if user.machine == name]
        trouble += [
            (f"{name}: {sentence}", holder)
            for sentence, holder in describe_trouble(observed.columns, observed.states, users)
        ]
    modes = [
        replace(one[0], sentence=f"On {join_names(machines[key])}: {key[1] if one[1:] else one[0].sentence}")
        for key, one in found.items()
    ]
    shown = {row_id(row) for row in rows}
    stated = [*_list_engines(columns, rows), *(mode for mode in modes if mode.row in shown)]
    return Answer(
        tuple(stated[: MAX_DIFFERENCES + len(_STATED)]),
        describe_same(columns, rows),
        tuple(sentence for sentence, _holder in trouble),
        tuple(holder for _sentence, holder in trouble),
    )


def _list_engines(columns: Sequence[Column], rows: Sequence[Row]) -> list[Difference]:
    """Returns how the engines and kernels differ, with the value of each machine."""
    names = {column.key: column.machine for column in columns}
    found = []
    for row in rows:
        if row.section != ENGINE_SECTION or row.key not in _STATED or not row.differs:
            continue
        by_text: dict[str, list[str]] = {}
        for key, text in row.cells.items():
            if text is not None:
                by_text.setdefault(text, []).append(names.get(key, key))
        parts = [f"{text} on {join_names(machines)}" for text, machines in by_text.items()]
        if len(parts) > 1:
            found.append(Difference(ENGINE_SECTION, f"{row.label}: {', '.join(parts)}.", row.why, row_id(row)))
    return found
