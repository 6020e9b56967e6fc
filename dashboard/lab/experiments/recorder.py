"""Records what happens to one experiment as entries of its journal."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from dashboard.core.experiments.budget.pace import Limits, new_pace
from dashboard.core.experiments.budget.relevance import concerns_columns
from dashboard.core.experiments.journal import Cause, Facts, Source, Trial, View
from dashboard.core.experiments.journal_text import (
    describe_cause,
    describe_changes,
    describe_restart,
    listening_process,
)
from dashboard.core.experiments.messages import ENDED, ArmStatus, Column, ExperimentHead
from dashboard.core.modes import MACHINE, OBSERVERS
from dashboard.core.namespaces.delta import delta
from dashboard.core.namespaces.state import NamespaceState
from dashboard.lab.context import Context
from dashboard.lab.experiments.journal_writer import JournalWriter
from dashboard.store.experiments import Record, waiting_head


class Recorder:
    """Writes the journal of one experiment. It queries neither the Engine nor the kernel. In its methods, ``cause`` is
    the cause of an entry, and ``text`` is the entry's text in the timeline. Entries without a text are not shown
    there."""

    def __init__(self, context: Context, record: Record, view: View) -> None:
        self._context = context
        self._record = record
        pace = new_pace(Limits(), time.monotonic(), record.journal_entries, record.journal_bytes)
        self.journal = JournalWriter(record.id, view, context.database, context.publisher, context.clock, pace)

    @property
    def view(self) -> View:
        """The experiment after the newest entry of its journal."""
        return self.journal.view

    @property
    def head(self) -> ExperimentHead:
        """The experiment's status (``ExperimentHead``): phase, progress and problem. Before the first entry, the phase
        is "waiting"."""
        return self.view.head or waiting_head(self._record)

    @property
    def ended(self) -> bool:
        """Whether the current round, that is, the current run of the experiment, is over."""
        return self.head.phase in ENDED

    def column(self, key: str) -> Column:
        """Returns the column with this key."""
        return next(column for column in self.view.columns if column.key == key)

    def arms(self, *statuses: ArmStatus) -> tuple[Column, ...]:
        """Returns the columns of all arms with one of these statuses. Without arguments, returns the columns of all
        arms."""
        return tuple(c for c in self.view.columns if c.key not in OBSERVERS and (not statuses or c.status in statuses))

    def recorded_state(self, key: str, container: str) -> NamespaceState | None:
        """Returns the recorded state of an arm if the arm runs in this container. Otherwise, or if no state was
        recorded, returns None."""
        column = self.column(key)
        runs_there = column.status is ArmStatus.RUNNING and column.container and column.container.id == container
        return self.view.states.get(key) if runs_there else None

    def set_head(self, cause: Cause, text: str = "", **fields: Any) -> None:
        """Records changed fields of the experiment's ``ExperimentHead``."""
        self.journal.append(cause, Facts(head=replace(self.head, **fields)), text)

    def set_trial(self, cause: Cause, trial: Trial, tried: str) -> None:
        """Records the results of the newest requests over the paths (``trial``). ``tried`` is a sentence about them for
        the ``ExperimentHead``. The timeline shows the entry only if this sentence has changed."""
        head = self.head
        facts = Facts(head=replace(head, tried=tried) if tried != head.tried else None, trial=trial)
        self.journal.append(cause, facts, tried if tried != head.tried else "")

    def set_column(self, key: str, cause: Cause, text: str = "", *, forget: bool = False, **fields: Any) -> None:
        """Records changed fields of a column; ``text`` is the sentence of the entry in the timeline. If ``forget`` is
        true, drops the column's observed state."""
        facts = Facts(columns=(replace(self.column(key), **fields),), forgotten=(key,) if forget else ())
        self.journal.append(cause, facts, text, (key,))

    def show(self, column: Column, cause: Cause, text: str = "") -> None:
        """Records a column whose network stack was not observed."""
        self.journal.append(cause, Facts(columns=(column,)), text, (column.key,))

    def observed(self, column: Column, state: NamespaceState, cause: Cause, text: str = "") -> None:
        """Records a column with its state. If a state is recorded already, records only the difference."""
        known = self.view.states.get(column.key)
        if known is None:
            facts = Facts(columns=(column,), states={column.key: state})
        else:
            change = delta(known, state)
            facts = Facts(
                columns=() if column == self.column(column.key) else (column,),
                changes={column.key: change} if change else {},
            )
        if text or facts != Facts():
            self.journal.append(cause, facts, text, (column.key,))

    def restarted(self, version: str, kept: tuple[str, ...], started: tuple[str, ...] = ()) -> None:
        """Records that the Engine was restarted. ``version`` is its version now, ``kept`` are the arms whose containers
        kept running, and ``started`` those whose containers were started again."""
        text = describe_restart(kept, version if version != self.head.engine else "", started)
        facts = Facts(head=replace(self.head, engine=version, notice=f"{text}."))
        self.journal.append(Cause(Source.ENGINE, "restart"), facts, text, (*kept, *started))

    def note(self, cause: Cause, text: str, *about: str) -> None:
        """Records an event that changes neither a column nor a state. ``about`` are the keys of the columns that it
        concerns."""
        self.journal.append(cause, Facts(), text, about)

    def states_changed(self, states: dict[str, NamespaceState]) -> None:
        """Records changes of columns that share a namespace, in one entry. ``states`` are the new states by column
        key."""
        known = self.view.states
        changes = {key: delta(known[key], state) for key, state in states.items() if key in known}
        changes = {key: change for key, change in changes.items() if change}
        if not changes:
            return
        first = next(iter(sorted(changes, key=lambda key: (key != MACHINE, key))))
        titles = [column.title for column in self.view.columns if column.key in changes]
        text = describe_changes(known[first], changes[first], titles)
        cause = Cause(Source.KERNEL, describe_cause(known[first], changes[first]), listening_process(changes[first]))
        quiet = not concerns_columns(self.view, changes)
        self.journal.append(cause, Facts(changes=changes), text, tuple(sorted(changes)), quiet=quiet)

    def mark_removed(self, key: str) -> None:
        """Records that a program other than Netmodes has removed the container of an arm."""
        text = f"The container of {key} was removed outside Netmodes"
        self.set_column(
            key,
            Cause(Source.ENGINE, "destroy"),
            text,
            status=ArmStatus.LOST,
            published=(),
            error=text + ".",
            forget=True,
        )

    def trouble(self, problem: str, *, engine_away: bool = False) -> None:
        """Records the experiment's current problem, and the time since which there has been a problem. Does nothing if
        the same problem is recorded already. If ``problem`` is empty, records that the problem has ended.
        ``engine_away`` is true if the engine does not answer."""
        if problem and self.head.problem != problem:
            since = self.head.problem_since or self._context.clock()
            keeper = self._context.keeper
            fields = {"engine_away": engine_away, "startable": keeper is not None and keeper.failed}
            cause = Cause(Source.ENGINE, "trouble")
            self.set_head(cause, problem, problem=problem, problem_since=since, **fields)
        elif not problem and self.head.problem:
            cause = Cause(Source.ENGINE, "back")
            fields = {"engine_away": False, "startable": False}
            self.set_head(cause, "The Engine answers again", problem="", problem_since=None, **fields)
