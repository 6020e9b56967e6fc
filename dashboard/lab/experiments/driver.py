"""Brings one experiment to its wanted state and keeps its columns true."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from dashboard.core.experiments.initial_columns import initial_columns
from dashboard.core.experiments.journal import Cause, Facts, Source, View
from dashboard.core.experiments.lifecycle import Action, ObservedContainer, Remove, Wanted, container_name, plan
from dashboard.core.experiments.messages import ArmStatus, Check, Phase
from dashboard.core.modes import MACHINE
from dashboard.engine.protocol import EngineEvent, EngineUnreachable
from dashboard.lab.context import LABEL_ARM, LABEL_ROUND, Context
from dashboard.lab.experiments.arms import Arms
from dashboard.lab.experiments.observer import ObservationTarget, Observer
from dashboard.lab.experiments.recorder import Recorder
from dashboard.store import experiments as experiment_store
from dashboard.store.experiments import Record

OVER = frozenset({ArmStatus.REFUSED, ArmStatus.EXITED, ArmStatus.LOST})
NEVER_STARTED = "0001-"
#: How long the end waits for a database that takes nothing.
FLUSH_TIMEOUT_S = 5.0
STANDARD_NAMES = ("localhost", "host.docker.internal")


class ExperimentDriver:
    """One experiment in the hands of this lab. All its passes go through ``settle``, one at a time."""

    def __init__(self, context: Context, record: Record, view: View) -> None:
        self._context = context
        self._record = record
        self._recorder = Recorder(context, record, view)
        self.observer = Observer(context.watches, lambda: context.info.pid, self._recorder.states_changed)
        self._arms = Arms(context, record, self._recorder, self.observer, lambda: self._stopping)
        self._lock = asyncio.Lock()
        self._round = view.head.round if view.head is not None else 0
        self._launched = False
        self._stopping = False
        self._lookups: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()

    @property
    def id(self) -> str:
        """The experiment's id."""
        return self._record.id

    @property
    def view(self) -> View:
        """The experiment as it is now."""
        return self._recorder.view

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self._recorder.ended and self._record.round == self._round

    @property
    def troubled(self) -> bool:
        """Whether something kept the last pass from its end."""
        return bool(self._recorder.head.problem)

    # The passes.

    async def settle(self, record: Record) -> None:
        """One pass: brings what is real nearer to what is wanted. Repeating it changes nothing."""
        if record.wanted is not Wanted.RUNNING:
            self._stopping = True
        async with self._lock:
            try:
                if record.round != self._round:
                    await self._begin(record)
                if record.wanted is not Wanted.RUNNING:
                    await self._stop()
                elif self._recorder.ended:
                    return
                elif self._launched:
                    await self._check()
                else:
                    await self._launch()
                self._recorder.trouble("")
            except EngineUnreachable as error:
                self._recorder.trouble(str(error))
            except OSError as error:
                self._recorder.trouble(f"The network namespaces cannot be read: {error.strerror or error}.")
            finally:
                await self._recorder.journal.flush()
            if self._recorder.head.phase is not record.phase:
                # A write that failed in the middle of the pass is made good: lists show the row.
                await self._context.database.run(experiment_store.save_head, record.id, self._recorder.head)

    async def close(self) -> None:
        """Lets go of everything that is open here; containers stay as they are."""
        for task in (self._lookups, *self._endings):
            if task is not None:
                task.cancel()
        await self.observer.close()
        await self._recorder.journal.close(FLUSH_TIMEOUT_S)

    async def _begin(self, record: Record) -> None:
        """A new round: everything of an earlier one is history."""
        await self._end_observation()
        self._record = record
        self._round = record.round
        self._launched = False
        self._stopping = record.wanted is not Wanted.RUNNING
        self._arms = Arms(self._context, record, self._recorder, self.observer, lambda: self._stopping)
        arms = record.spec.arms
        head = replace(
            self._recorder.head,
            phase=Phase.PREPARING,
            started_at=self._context.clock(),
            stopped_at=None,
            proof=(),
            problem="",
            problem_since=None,
            notice="",
            engine=self._context.info.version,
            private=self._context.private,
            round=record.round,
        )
        old = self.view
        facts = Facts(
            head=head,
            columns=initial_columns(record.id, arms),
            forgotten=tuple(old.states),
            removed=tuple(c.key for c in old.columns if c.key != MACHINE and c.key not in {arm.key for arm in arms}),
        )
        text = f"Launch asked for: {len(arms)} {'arm' if len(arms) == 1 else 'arms'}, image {record.spec.image}"
        self._recorder.journal.append(Cause(Source.PERSON, "launch"), facts, text)
        await self._context.database.run(experiment_store.save_head, record.id, head, 0)

    async def _launch(self) -> None:
        actions, notice, _ = await _all(
            self._cleared(), self._arms.prepare_images(self._progress), self._observe_machine()
        )
        if self._stopping:
            return
        cause = Cause(Source.LAB, "launch")
        self._recorder.set_head(cause, phase=Phase.LAUNCHING, progress="", fraction=None, notice=notice)
        await self._arms.launch(actions)
        self._launched = True
        if self._stopping:
            return
        running = self._recorder.arms(ArmStatus.RUNNING)
        if not running:
            await self._fail("No arm is running: what was refused or went wrong stands in each column.")
            return
        text = f"{len(running)} of {len(self._record.spec.arms)} arms run"
        self._recorder.set_head(cause, text, phase=Phase.RUNNING)
        await self._context.database.run(experiment_store.save_head, self._record.id, self._recorder.head)
        # Told first: dozens of questions at once would hold up the news that it runs.
        await self._recorder.journal.flush()
        self._look_up()

    async def _cleared(self) -> tuple[Action, ...]:
        """What is to be done, after everything has gone that is not wanted.

        What became of an arm in this round stays so: a restart neither tries it again nor calls it lost.
        A container whose making was never written down is made anew: the Engine's warnings were in its answer.
        """
        found, leftovers = await self._real()
        told = {one.key: one.container.id for one in self._recorder.arms() if one.container}
        real = [one for one in found if told.get(one.arm) == one.id]
        untold = [one for one in found if one not in real]
        arms = [arm for arm in self._record.spec.arms if self._recorder.column(arm.key).status not in OVER]
        made = {one.arm for one in untold}
        launched = {arm: container for arm, container in self._record.launched.items() if arm not in made}
        actions = plan(Wanted.RUNNING, arms, real, launched)
        leftovers += [one.id for one in untold]
        leftovers += [action.container for action in actions if isinstance(action, Remove)]
        await asyncio.gather(*(self._arms.remove(container) for container in leftovers))
        return actions

    async def _check(self) -> None:
        """Launched before: is everything still there? Also after a gap in the Engine's events."""
        found, _ = await self._real()
        real = {one.arm: one for one in found}
        for column in self._recorder.arms(ArmStatus.RUNNING):
            one = real.get(column.key)
            if one is None:
                await self.observer.remove(column.key)
                self._recorder.lost(column.key)
            elif not one.running:
                await self._arms.collect_exited(column.key, one.id)
            elif column.key not in self.observer.keys:
                arm = next(arm for arm in self._record.spec.arms if arm.key == column.key)
                await self._arms.observe(arm, one.id)
        await self._observe_machine()
        await self.observer.reread_files()
        await self._fail_if_empty()

    async def _stop(self) -> None:
        """Removes containers, then networks, and writes down the proof that they are gone."""
        recorder, database = self._recorder, self._context.database
        if recorder.ended and not await self._remains():
            return
        shown = self.view.seq
        recorder.set_head(
            Cause(Source.PERSON, "stop"), "Stop asked for", phase=Phase.STOPPING, progress="", fraction=None
        )
        await database.run(experiment_store.save_head, self._record.id, recorder.head, shown)
        ports = sorted({port.host_port for column in recorder.arms() for port in column.published})
        count = len(recorder.arms(ArmStatus.RUNNING))
        for key in self.observer.keys:
            if key != MACHINE:
                await self.observer.remove(key)
        await self._arms.remove_all()
        proof = await self._proof(count, ports)
        await self._end_observation()
        head = replace(
            recorder.head,
            phase=Phase.STOPPED,
            stopped_at=self._context.clock(),
            proof=proof,
            problem="",
            problem_since=None,
        )
        unfinished = (ArmStatus.RUNNING, ArmStatus.CREATED, ArmStatus.WAITING)
        columns = tuple(replace(c, status=ArmStatus.GONE, published=()) for c in recorder.arms(*unfinished))
        facts = Facts(head=head, columns=columns, forgotten=tuple(key for key in self.view.states if key != MACHINE))
        recorder.journal.append(Cause(Source.LAB, "removed"), facts, ", ".join(check.detail for check in proof))
        await recorder.journal.flush()
        await database.run(experiment_store.save_head, self._record.id, head)

    async def _proof(self, count: int, ports: Sequence[int]) -> tuple[Check, ...]:
        """Asks again whether anything of ours is left: the answer is shown, not assumed."""
        labels = self._context.labels(self._record.id)
        left = len(await self._context.engine.containers(labels))
        networks = len(await self._context.engine.networks(labels))
        checks = [
            Check("containers", not left, f"{left} of {count} containers left"),
            Check("networks", not networks, f"{networks} networks left" if networks else "no network left"),
        ]
        if ports and MACHINE in self.observer.keys:
            await self._context.watches.resync()
            held = {one.port for one in self.observer.state(MACHINE).listeners}
            for port in ports:
                text = f"port {port} of the machine is {'still held' if port in held else 'free again'}"
                checks.append(Check(f"port {port}", port not in held, text))
        return tuple(checks)

    async def _fail(self, why: str) -> None:
        """Nothing runs: everything of ours is removed, the columns keep what was said."""
        await self._arms.remove_all()
        await self._end_observation()
        self._recorder.set_head(
            Cause(Source.LAB, "failed"), why, phase=Phase.FAILED, stopped_at=self._context.clock(), notice=why
        )
        await self._recorder.journal.flush()
        await self._context.database.run(
            experiment_store.save_head, self._record.id, self._recorder.head, self.view.seq
        )

    async def _fail_if_empty(self) -> None:
        if self._recorder.head.phase is Phase.RUNNING and not self._recorder.arms(ArmStatus.RUNNING):
            await self._fail("No arm is running any more: how each ended stands in its column.")

    # What the engine tells.

    def engine_event(self, event: EngineEvent) -> None:
        """One event about an object of this experiment."""
        if event.kind == "network":
            self._network_event(event)
        elif event.action in {"die", "destroy"} and not self._stopping:
            arm = event.labels.get(LABEL_ARM, "")
            if any(c.key == arm and c.container and c.container.id == event.id for c in self._recorder.arms()):
                self._follow_up(self._ended(arm, event.id))

    def _network_event(self, event: EngineEvent) -> None:
        container = event.attributes.get("container", "")
        column = next((c for c in self._recorder.arms() if c.container and c.container.id == container), None)
        if column is not None and event.action in {"connect", "disconnect"}:
            verb = "joins" if event.action == "connect" else "leaves"
            text = f"{column.key} {verb} network {event.attributes.get('name', '')}"
            self._recorder.say(Cause(Source.ENGINE, f"network {event.action}"), text, column.key)
            if self._launched and not self._stopping:
                self._follow_up(self._moved(column.key, container))

    def _follow_up(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _moved(self, arm: str, container: str) -> None:
        async with self._lock:
            column = self._recorder.column(arm)
            if self._stopping or column.status is not ArmStatus.RUNNING or not column.container:
                return
            if column.container.id == container:
                try:
                    await self._arms.reread(arm, container)
                except EngineUnreachable as error:
                    self._recorder.trouble(str(error))

    async def _ended(self, arm: str, container: str) -> None:
        async with self._lock:
            column = self._recorder.column(arm)
            if self._stopping or column.status is not ArmStatus.RUNNING or not column.container:
                return
            if column.container.id != container:
                return
            try:
                if await self._arms.collect_exited(arm, container):
                    await self._fail_if_empty()
                else:
                    await self._check()
            except (EngineUnreachable, OSError) as error:
                self._recorder.trouble(str(error))

    def engine_gone(self, why: str) -> None:
        """The Engine does not answer: said in the head, with since when; nothing is forgotten."""
        if not self._recorder.ended:
            self._recorder.trouble(why)

    # Small steps.

    async def _real(self) -> tuple[list[ObservedContainer], list[str]]:
        """Our containers of this round as the Engine has them, and the ids of those of earlier rounds."""
        found, old = [], []
        for facts in await self._context.engine.containers(self._context.labels(self._record.id)):
            if facts.labels.get(LABEL_ROUND) != str(self._record.round):
                old.append(facts.id)
                continue
            started = not facts.started_at.startswith(NEVER_STARTED)
            found.append(ObservedContainer(facts.id, facts.labels.get(LABEL_ARM, ""), facts.running, started))
        return found, old

    async def _remains(self) -> bool:
        labels = self._context.labels(self._record.id)
        return bool(await self._context.engine.containers(labels) or await self._context.engine.networks(labels))

    async def _observe_machine(self) -> None:
        pid = self._context.info.pid
        if pid is None or MACHINE in self.observer.keys:
            return
        state = await self.observer.add(ObservationTarget(MACHINE, pid, MACHINE, "/etc/resolv.conf", "/etc/hosts"))
        self._recorder.observed(self._recorder.column(MACHINE), state, Cause(Source.LAB, "observe"))

    async def _end_observation(self) -> None:
        if self._lookups is not None:
            self._lookups.cancel()
        await self.observer.close()

    def _look_up(self) -> None:
        if self._lookups is not None:
            self._lookups.cancel()
        arms = [column.key for column in self._recorder.arms(ArmStatus.RUNNING)]
        containers = [container_name(self._record.id, key) for key in arms]
        names = dict.fromkeys((*containers, *arms, *STANDARD_NAMES, *self._record.spec.names))
        self._lookups = asyncio.get_running_loop().create_task(self.observer.look_up(tuple(names)))

    async def settled(self) -> None:
        """Returns when the names have been looked up and everything is in the database."""
        async with self._lock:
            lookups = self._lookups
        if lookups is not None:
            await asyncio.wait([lookups])
        await self._recorder.journal.flush()

    def _progress(self, text: str, fraction: float | None) -> None:
        self._recorder.set_head(Cause(Source.LAB, "prepare"), progress=text, fraction=fraction)


async def _all[A, B, C](one: Awaitable[A], two: Awaitable[B], three: Awaitable[C]) -> tuple[A, B, C]:
    """All at once, each to its end; then the first error is raised, if there was one."""
    tasks = asyncio.ensure_future(one), asyncio.ensure_future(two), asyncio.ensure_future(three)
    await asyncio.gather(*tasks, return_exceptions=True)
    return tasks[0].result(), tasks[1].result(), tasks[2].result()
