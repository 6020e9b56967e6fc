"""Drives one experiment to its wanted state, and keeps its columns up to date."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from dashboard.core.experiments.journal import NO_TRIAL, Attempt, Cause, Facts, Source, View
from dashboard.core.experiments.lifecycle import Action, ObservedContainer, Remove, Wanted, container_name, plan
from dashboard.core.experiments.messages import ArmStatus, Column, ExperimentHead, Phase
from dashboard.core.modes import OBSERVERS, OTHER_CONTAINER, ROOTLESS_NETNS, ArmSpec
from dashboard.core.paths.attempts import describe_attempts, next_trial
from dashboard.engine.protocol import EngineError, EngineEvent, EngineUnreachable
from dashboard.lab.context import LABEL_ARM, Context
from dashboard.lab.experiments.arms import Arms
from dashboard.lab.experiments.cleanup import has_leftovers, host_ports, remove_completely, verify_cleanup
from dashboard.lab.experiments.columns.neighbour import find_bridges
from dashboard.lab.experiments.columns.observer_columns import ObserverColumns, columns_of_round
from dashboard.lab.experiments.concurrency import gather_all
from dashboard.lab.experiments.containers import containers_of_round, remove_all, remove_containers
from dashboard.lab.experiments.observer import Observer
from dashboard.lab.experiments.recorder import Recorder
from dashboard.store import experiments as experiment_store
from dashboard.store import recent_entries
from dashboard.store.experiments import Record

log = logging.getLogger(__name__)
FINAL = frozenset({ArmStatus.REFUSED, ArmStatus.EXITED, ArmStatus.LOST})
LAUNCH_PHASES = frozenset({Phase.PREPARING, Phase.LAUNCHING})
#: How many seconds ``close`` waits for a database that accepts no writes.
FLUSH_TIMEOUT_S = 5.0
#: How many seconds a removal without a database waits for the end of a launch.
LAUNCH_END_S = 5.0
LAUNCH = Cause(Source.LAB, "launch")
#: Columns other than arms: those that end when the experiment is stopped, and those that then keep their last state.
ENDING = frozenset({OTHER_CONTAINER, ROOTLESS_NETNS})
LASTING = OBSERVERS - ENDING
STANDARD_NAMES = ("localhost", "host.docker.internal")


class ExperimentDriver:
    """Drives one experiment. A pass (``settle``) takes the steps towards the wanted state. Passes and the handling of
    events run one at a time. A round is one run of the experiment, from a launch to the stop."""

    def __init__(self, context: Context, record: Record, view: View) -> None:
        self._context = context
        self._record = record
        self._recorder = Recorder(context, record, view)
        self.observer = Observer(
            context.watches,
            lambda: context.info.pid,
            self._recorder.states_changed,
            lambda: find_bridges(context),
        )
        self._arms = Arms(context, record, self._recorder, self.observer, lambda: self._stopping)
        self._columns = ObserverColumns(context, record.id, self._recorder, self.observer)
        self._lock = asyncio.Lock()
        self._round = view.head.round if view.head is not None else 0
        self._launched = False
        #: The newest record of any pass. The pass that holds the lock may have started with an older one.
        self._newest = record
        self._is_removing = False
        #: The number of the last entry before the stop; None if an earlier lab has begun the stop.
        self._shown_seq: int | None = None
        self._preparing: asyncio.Future[str] | None = None
        #: Why the Engine's event stream ended, if it did during the current pass; otherwise empty.
        self._engine_lost = ""
        #: Whether the event stream has ended since the Engine's facts were last read: it may have been restarted.
        self._engine_was_lost = False
        #: The pid of the Engine that this driver has last seen.
        self._engine_pid = context.info.pid
        self._event_tasks: set[asyncio.Task[None]] = set()
        #: The number of checks (``_check``) that have begun, and the number of the last one that succeeded.
        self._checks = self._last_success = 0

    @property
    def id(self) -> str:
        """The experiment's id."""
        return self._record.id

    @property
    def record(self) -> Record:
        """The newest record of the experiment that a pass has received."""
        return self._newest

    @property
    def view(self) -> View:
        """The experiment after the newest entry of its journal."""
        return self._recorder.view

    @property
    def _stopping(self) -> bool:
        """Whether the containers of the current round are no longer wanted. A launch checks this before each step, and
        ends if it is true."""
        newest = self._newest
        return self._is_removing or newest.wanted is not Wanted.RUNNING or newest.round != self._round

    @property
    def ended(self) -> bool:
        """Whether the requested round is over, so that a pass has nothing left to do."""
        return self._recorder.ended and self._record.round == self._round

    @property
    def troubled(self) -> bool:
        """Whether the experiment has a problem that kept the last pass from completing."""
        return bool(self._recorder.head.problem)

    async def settle(self, record: Record) -> None:
        """Makes one pass: takes the missing steps to reach the wanted state of ``record``. Changes nothing if none is
        missing. Errors of the Engine and the kernel are recorded as the experiment's problem, not raised."""
        self._newest = record
        if self._stopping and self._preparing is not None:
            self._preparing.cancel()
        checks = self._checks
        async with self._lock:
            self._engine_lost = ""
            try:
                await self._recognise_engine()
                if record.round != self._round:
                    await self._begin(record)
                if record.wanted is not Wanted.RUNNING:
                    await self._stop()
                elif self._recorder.ended:
                    pass  # only the row may be missing
                elif self._launched:
                    # Skipped if a check began after this pass was requested, and succeeded while it waited for the
                    # lock.
                    if self._last_success <= checks:
                        await self._check()
                else:
                    await self._launch()
                lost = "" if self._recorder.ended else self._engine_lost
                self._recorder.trouble(lost, engine_away=bool(lost))
            except EngineError as error:
                self._recorder.trouble(str(error), engine_away=isinstance(error, EngineUnreachable))
            except OSError as error:
                self._recorder.trouble(f"The network namespaces cannot be read: {error.strerror or error}.")
            finally:
                await self._recorder.journal.flush()
            phase = self._recorder.head.phase
            if phase is not record.phase:
                # The write to the row may have failed during this pass or an earlier one; lists show the row.
                await self._save_head(self.view.seq if phase is Phase.FAILED else None)

    def record_measurement(self, run: str, headline: str, *, inconclusive: bool = False) -> None:
        """Adds the headline of the finished measurement ``run`` to the timeline. Unless ``inconclusive`` is true, also
        shows it in the answer of the comparison. Does nothing if the round is over."""
        if not self._recorder.ended and headline:
            measured = "" if inconclusive else headline
            self._recorder.set_head(Cause(Source.LAB, "measurement"), headline, measured=measured, measurement=run)

    def record_attempts(self, attempts: Sequence[Attempt]) -> None:
        """Stores the results of requesting the service over every path, and shows a sentence about them in the answer
        of the comparison. The timeline gets an entry only if the sentence has changed. Does nothing if the round is
        over."""
        if self._recorder.ended:
            return
        trial = next_trial(self.view.trial, attempts, self._context.clock())
        if trial is not None:
            tried = describe_attempts(attempts, self.view.columns)
            self._recorder.set_trial(Cause(Source.PERSON, "try"), trial, tried)

    async def close(self) -> None:
        """Ends the observation and writes the remaining entries of the journal. Leaves the containers unchanged."""
        for task in self._event_tasks:
            task.cancel()
        await self.observer.close()
        await self._recorder.journal.close(FLUSH_TIMEOUT_S)
        recent_entries.forget(self._record.id)

    async def remove_unrecorded(self) -> None:
        """Removes the experiment's containers and networks without writing to the journal, because the database cannot
        be used. Raises EngineError if the Engine does not answer, or if something is left."""
        self._is_removing = True
        if self._preparing is not None:
            self._preparing.cancel()
        await remove_all(self._context, self._record)
        await self._columns.other_host.remove()
        if self._lock.locked() and self._recorder.head.phase in LAUNCH_PHASES:
            # A request that the launch has already sent may still create something, on this host or on another.
            with suppress(TimeoutError):
                async with asyncio.timeout(LAUNCH_END_S), self._lock:
                    pass
            await self._columns.other_host.remove()
        await self._remove_all()

    async def settled(self) -> None:
        """Waits until the current pass has ended and all that was observed is in the database. This includes what is
        observed with a delay: the final owners of listeners, firewall rules and the results of name lookups."""
        async with self._lock:
            pass
        await self.observer.settle()
        await self.observer.wait_for_lookups()
        await self._recorder.journal.flush()

    async def _recognise_engine(self) -> None:
        """Reads the Engine's facts again if its event stream has ended since the last reading: the Engine may have been
        restarted."""
        if self._engine_was_lost:
            self._context.info = await self._context.engine.info()
            self._engine_was_lost = False

    async def _begin(self, record: Record) -> None:
        """Starts a new round: records the columns of its arms, and clears the states and results of the previous
        round."""
        await self.observer.close()
        self._record = record
        self._round = record.round
        self._engine_pid = self._context.info.pid
        self._launched = False
        self._arms = Arms(self._context, record, self._recorder, self.observer, lambda: self._stopping)
        arms = record.spec.arms
        info = self._context.info
        head = replace(
            experiment_store.waiting_head(record),
            phase=Phase.PREPARING,
            started_at=self._context.clock(),
            engine=info.version,
            engine_kind=info.kind,
            private=self._context.private,
            round=record.round,
        )
        columns = await columns_of_round(self._context, record)
        if not self._recorder.ended:
            # A restart keeps the networks, and their lines are recorded only when they are created.
            lines = {column.key: column.setup for column in self.view.columns}
            columns = tuple(replace(column, setup=lines.get(column.key, "")) for column in columns)
        kept = {column.key for column in columns}
        facts = Facts(
            head=head,
            columns=columns,
            forgotten=tuple(self.view.states),
            removed=tuple(column.key for column in self.view.columns if column.key not in kept),
            trial=NO_TRIAL,
        )
        count = "1 container" if len(arms) == 1 else f"{len(arms)} containers"
        text = f"Launch requested: {count}, image {record.spec.image}"
        self._recorder.journal.append(Cause(Source.PERSON, "launch"), facts, text)
        await self._save_head(0)

    async def _launch(self) -> None:
        machine = asyncio.ensure_future(self._columns.observe_machine())
        await gather_all(machine, self._launch_arms(machine), self._columns.observe_other_namespaces())
        if self._stopping:
            return
        self._launched = True
        await self._finish_launch()

    async def _finish_launch(self) -> None:
        """Ends the launch: the phase becomes "running", or "failed" if no arm runs."""
        running = self._recorder.arms(ArmStatus.RUNNING)
        if not running:
            await self._fail()
            return
        # Before the phase is RUNNING, because a waiting measurement then starts at once and needs all clients.
        await gather_all(self._columns.other_host.observe(), self._columns.observe_other_namespaces())
        text = f"{len(running)} of {len(self._record.spec.arms)} containers running"
        self._recorder.set_head(LAUNCH, text, phase=Phase.RUNNING)
        await self._save_head()
        # Published before the lookups: dozens of them at once would delay the new phase.
        await self._recorder.journal.flush()
        await self.observer.refresh_firewall()
        self._look_up()

    async def _launch_arms(self, machine: asyncio.Future[None]) -> None:
        """Prepares the images and launches the arms. Containers start only after ``machine`` completes, which means
        that the machine's state has been read."""
        actions = asyncio.ensure_future(self._remove_leftovers())
        notice = self._preparing = asyncio.ensure_future(self._arms.prepare_images(self._show_progress))
        if self._stopping:  # since the pass has begun: ``settle`` found nothing to cancel
            notice.cancel()
        await gather_all(actions, self._until_prepared(notice))
        if self._stopping:
            return
        text = " ".join(part for part in (notice.result(), self._context.info.notice) if part)
        self._recorder.set_head(LAUNCH, phase=Phase.LAUNCHING, progress="", fraction=None, notice=text)
        await self._arms.launch(actions.result(), machine)

    async def _until_prepared(self, images: asyncio.Future[str]) -> None:
        """Waits until the images are prepared. Returns early if a stop has cancelled the preparation, for example a
        long pull."""
        try:
            await images
        except asyncio.CancelledError:
            if not self._stopping:
                raise

    def _show_progress(self, text: str, fraction: float | None) -> None:
        self._recorder.set_head(Cause(Source.LAB, "prepare"), progress=text, fraction=fraction)

    async def _remove_leftovers(self) -> tuple[Action, ...]:
        """Removes the experiment's containers that are not wanted. Returns the actions that the wanted arms still need.

        An arm that has ended in this round is not launched again after a restart of the lab, and not recorded as
        removed. A container that was created but not recorded is replaced, because only the response to its creation
        contains the Engine's warnings.
        """
        listed = await self._context.engine.containers(self._context.labels(self._record.id))
        containers = containers_of_round(listed, self._record.round)
        self._record_restart({container.arm: container for container in containers})
        recorded = {arm.key: arm.container.id for arm in self._recorder.arms() if arm.container}
        known = [container for container in containers if recorded.get(container.arm) == container.id]
        unrecorded = [container for container in containers if container not in known]
        arms = [arm for arm in self._record.spec.arms if self._recorder.column(arm.key).status not in FINAL]
        again = {container.arm for container in unrecorded}
        launched = {arm: container for arm, container in self._record.launched.items() if arm not in again}
        actions = plan(Wanted.RUNNING, arms, known, launched)
        kept = {container.id for container in known}
        kept -= {action.container for action in actions if isinstance(action, Remove)}
        await remove_containers(self._context.engine, [container for container in listed if container.id not in kept])
        return actions

    async def _check(self) -> None:
        """Compares the running arms with the Engine's list of containers, so that changes are handled even if their
        events were missed. Observes containers that were restarted. Records the exit of containers that have ended, and
        removes these containers."""
        self._checks += 1
        number = self._checks
        listed = await self._context.engine.containers(self._context.labels(self._record.id))
        containers = containers_of_round(listed, self._record.round)
        by_arm = {container.arm: container for container in containers}
        look_up_again = self._record_restart(by_arm)
        changes: list[Callable[[], Awaitable[object]]] = []
        for column in self._recorder.arms(ArmStatus.RUNNING):
            container = by_arm.get(column.key)
            if container is None:
                await self.observer.remove(column.key)
                self._recorder.mark_removed(column.key)
            elif not container.running:
                changes.append(partial(self._arms.collect_exited, column.key, container.id))
            elif not self._is_observed(container):
                changes.append(partial(self._arms.observe, self._arm(column.key), container.id))
                look_up_again = True
        # In parallel, because each sends several requests, and an Engine that was stuck answers slowly.
        await gather_all(*(change() for change in changes))
        await self._columns.observe_machine()
        await self._columns.observe_other_namespaces()
        await self._columns.other_host.observe()
        await self.observer.reread_files()
        await self.observer.refresh_firewall()
        if look_up_again:
            self._look_up()
        if self._recorder.head.phase in LAUNCH_PHASES:
            await self._finish_launch()  # the pass that launched the arms failed before it could do so
        await self._fail_if_empty()
        self._last_success = number

    def _is_observed(self, container: ObservedContainer) -> bool:
        """Returns whether the arm is observed through the current process of its container, not through one from before
        a restart."""
        target = self.observer.target(container.arm)
        return target is not None and target.pid == container.pid

    def _record_restart(self, containers: Mapping[str, ObservedContainer]) -> bool:
        """Returns whether the Engine runs in a new process. If it does, records the restart and which containers kept
        running (live-restore). ``containers`` maps the arms of the current round to their containers."""
        before, self._engine_pid = self._engine_pid, self._context.info.pid
        if None in {before, self._engine_pid} or before == self._engine_pid:
            return False
        running = [containers.get(column.key) for column in self._recorder.arms(ArmStatus.RUNNING)]
        alive = [container for container in running if container is not None and container.running]
        kept = tuple(container.arm for container in alive if self._is_observed(container))
        started = tuple(container.arm for container in alive if container.arm not in kept)
        self._recorder.restarted(self._context.info.version, kept, started)
        return True

    async def _stop(self) -> None:
        """Removes the experiment's containers, then its networks. Checks that nothing is left, and records the
        results."""
        recorder, experiment = self._recorder, self._record.id
        if recorder.ended and not await has_leftovers(self._context, experiment):
            return
        if recorder.head.phase is not Phase.STOPPING:
            recorder.journal.end_merge()
            if recorder.head.phase is not Phase.STOPPED:
                self._shown_seq = self.view.seq
            cause = Cause(Source.PERSON, "stop")
            recorder.set_head(cause, "Stop requested", phase=Phase.STOPPING, progress="", fraction=None)
        await self._save_head(self._shown_seq)
        ports = host_ports(recorder.arms())
        count = len(recorder.arms(ArmStatus.RUNNING))
        for key in self.observer.keys:
            if key not in LASTING:
                await self.observer.remove(key)
        await self._columns.other_host.remove()
        await self._remove_all()
        proof = await verify_cleanup(self._context, experiment, self.observer, count, ports)
        await self.observer.close()
        head = replace(self._ended_head(Phase.STOPPED), proof=proof)
        unfinished = (ArmStatus.RUNNING, ArmStatus.CREATED, ArmStatus.WAITING)
        arms = (*recorder.arms(*unfinished), *(column for column in self.view.columns if column.key in ENDING))
        columns = tuple(replace(arm, status=ArmStatus.GONE, published=()) for arm in arms)
        facts = Facts(
            head=head, columns=columns, forgotten=tuple(key for key in self.view.states if key not in LASTING)
        )
        recorder.journal.append(Cause(Source.LAB, "removed"), facts, ", ".join(check.detail for check in proof))
        await recorder.journal.flush()
        await self._save_head()

    async def _remove_all(self) -> None:
        await remove_completely(self._context, self._record, self._recorder.head.problem)

    def _ended_head(self, phase: Phase) -> ExperimentHead:
        return replace(
            self._recorder.head,
            phase=phase,
            stopped_at=self._context.clock(),
            problem="",
            problem_since=None,
            engine_away=False,
            startable=False,
        )

    async def _fail(self) -> None:
        """Ends the round with the phase "failed" because no arm runs, and removes all containers and networks. The
        columns keep what was recorded."""
        await self._columns.other_host.remove()
        await self._remove_all()
        await self.observer.close()
        cause, reason = Cause(Source.LAB, "failed"), "No container is running: see each column for the reason."
        head = replace(self._ended_head(Phase.FAILED), notice=reason)
        self._recorder.journal.append(cause, Facts(head=head), reason)
        await self._recorder.journal.flush()
        await self._save_head(self.view.seq)

    async def _fail_if_empty(self) -> None:
        if self._recorder.head.phase is Phase.RUNNING and not self._recorder.arms(ArmStatus.RUNNING):
            await self._fail()

    async def _save_head(self, shown_seq: int | None = None) -> None:
        # Not of the record's round: a pass that failed before it began the round has the head of the last one.
        save, head = experiment_store.save_head, self._recorder.head
        await self._context.database.run(save, self._record.id, head, shown_seq, of_round=head.round)

    def on_engine_event(self, event: EngineEvent) -> None:
        """Handles an event of the Engine about a container or a network. Ignores events about networks of other
        experiments."""
        if event.kind == "network":
            self._on_network_event(event)
        elif event.action in {"die", "destroy"} and not self._stopping:
            arm = event.labels.get(LABEL_ARM, "")
            if any(column.key == arm for column in self._columns_of(event.id)):
                self._start_task(self._on_exit(arm, event.id))

    def on_engine_lost(self, reason: str) -> None:
        """Records the experiment's problem: the Engine does not answer, since when, and why (``reason``). The columns
        keep their states."""
        self._engine_lost = reason
        self._engine_was_lost = True
        if not self._recorder.ended:
            self._recorder.trouble(reason, engine_away=True)

    def _on_network_event(self, event: EngineEvent) -> None:
        container = event.attributes.get("container", "")
        column = next(iter(self._columns_of(container)), None)
        if column is not None and event.action in {"connect", "disconnect"}:
            verb = "joins" if event.action == "connect" else "leaves"
            text = f"{column.key} {verb} network {event.attributes.get('name', '')}"
            self._recorder.note(Cause(Source.ENGINE, f"network {event.action}"), text, column.key)
            if self._launched and not self._stopping:
                self._start_task(self._on_network_change(column.key, container))

    def _arm(self, key: str) -> ArmSpec:
        return next(arm for arm in self._record.spec.arms if arm.key == key)

    def _columns_of(self, container: str) -> list[Column]:
        return [arm for arm in self._recorder.arms() if arm.container and arm.container.id == container]

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._event_tasks.add(task)
        task.add_done_callback(self._event_tasks.discard)

    def _runs(self, arm: str, container: str) -> bool:
        """Returns whether the arm still runs in this container and is not being stopped."""
        column = self._recorder.column(arm)
        return not self._stopping and column.status is ArmStatus.RUNNING and column in self._columns_of(container)

    async def _on_network_change(self, arm: str, container: str) -> None:
        async with self._lock:
            try:
                if self._runs(arm, container):
                    await self._arms.reread_networks(arm, container)
                    await self.observer.reread_files()
                    await self.observer.refresh_firewall()
                    self._look_up()
            except EngineError as error:
                self._recorder.trouble(str(error))

    async def _on_exit(self, arm: str, container: str) -> None:
        async with self._lock:
            try:
                if not self._runs(arm, container):
                    return
                if not await self._arms.collect_exited(arm, container):
                    # Only this arm, because many arms may have such an event at the same time.
                    await self._arms.observe(self._arm(arm), container)
                await self.observer.refresh_firewall()
                self._look_up()
                await self._fail_if_empty()
            except (EngineError, OSError) as error:
                self._recorder.trouble(str(error))

    def _look_up(self) -> None:
        arms = [column.key for column in self._recorder.arms(ArmStatus.RUNNING)]
        containers = [container_name(self._record.id, key) for key in arms]
        names = dict.fromkeys((*containers, *arms, *STANDARD_NAMES, *self._record.spec.names))
        self.observer.start_lookups(tuple(names))
