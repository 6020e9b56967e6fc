"""Works on a step of a workshop, alone or in a training session: records the prediction, runs commands, and checks
whether the step is done."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from dashboard.core.diagram.observed_engine import draw_engine
from dashboard.core.experiments.picture import Picture
from dashboard.core.workshops.advice import advise
from dashboard.core.workshops.model import Step, StepJudgement, Workshop, judge_step
from dashboard.core.workshops.observation import Observation
from dashboard.core.workshops.progress import Event, StepRecord, StepStage, current_step, is_done, step_stage
from dashboard.engine.protocol import EngineError
from dashboard.lab.experiments.concurrency import result_of
from dashboard.lab.workshops.commands import CommandResult
from dashboard.lab.workshops.other_host import run_anywhere
from dashboard.lab.workshops.snapshot import WorkshopHost, observe_host
from dashboard.store import workshops as store
from dashboard.store.database import DatabaseThread


class StepLockedError(Exception):
    """The step cannot be worked on now. ``str()`` is a sentence that states what to do first."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of checking a step. ``passed`` is true if the step is done. ``advice`` is what to do if it is not.
    ``problem`` is what could not be observed. ``images`` are the images on the engine. ``picture`` is the wide and the
    narrow diagram, None if the machine could not be read."""

    judgement: StepJudgement
    record: StepRecord
    advice: str = ""
    passed: bool = False
    problem: str = ""
    images: frozenset[str] = frozenset()
    picture: tuple[Picture, Picture] | None = None


@dataclass(slots=True)
class SharedObservations:
    """Shares observations between automatic checks. Concurrent checks of the same step on the same engine use one
    observation."""

    _running: dict[tuple[int, tuple[str, ...], tuple[int, ...], bool], asyncio.Task[Observation]] = field(
        default_factory=dict
    )

    async def observe(self, host: WorkshopHost, step: Step) -> Observation:
        """Returns an observation of the host for this step. Waits for one that is in progress, or starts one."""
        key = (id(host.engine), step.lookups, step.ports, step.reads_rules)
        task = self._running.get(key)
        if task is None:
            work = observe_host(host, time.time(), step.lookups, step.ports, rules=step.reads_rules)
            task = asyncio.get_running_loop().create_task(work)
            self._running[key] = task
            task.add_done_callback(lambda _task: self._running.pop(key, None))
        return await result_of(task)


@dataclass(slots=True)
class StepRunner:
    """Works on the steps of a workshop on a host, for one person.

    Steps with an index of ``until`` or more are closed by the instructor; if ``until`` is None, no step is closed. If
    ``free`` is true, steps are open even if earlier ones are not done. The parameter ``slug`` of the methods identifies
    a step.
    """

    host: WorkshopHost
    database: DatabaseThread
    clock: Callable[[], float]
    person: str
    workshop: Workshop
    until: int | None = None
    observations: SharedObservations | None = None
    free: bool = False

    async def open(self, slug: str) -> tuple[Step, StepStage, StepRecord]:
        """Returns the step with its stage and record. Raises StepLockedError if an earlier step must be done first."""
        number = self.workshop.index(slug)
        progress = await self.database.run(store.load_progress, self.person, self.workshop.slug)
        if number is None or progress is None:
            raise StepLockedError("Start the workshop first.")
        stage = step_stage(self.workshop, progress.records, number, self.until, free=self.free)
        if stage is StepStage.LOCKED:
            first = self.workshop.steps[min(current_step(self.workshop, progress.records, self.until), number)]
            raise StepLockedError(f"This step unlocks when “{first.title}” is done.")
        return self.workshop.steps[number], stage, progress.records.get(slug, StepRecord())

    async def predict(self, slug: str, choice: int) -> StepRecord:
        """Records a prediction and the current state of the host, and returns the step's record. Does not replace an
        earlier prediction. Raises ValueError if the choice does not exist, or StepLockedError."""
        step, _, _ = await self.open(slug)
        if step.predict is None or not 0 <= choice < len(step.predict.choices):
            raise ValueError("Choose one of the answers.")
        now = self.clock()

        def decide(record: StepRecord) -> StepRecord:
            if record.prediction is not None:
                return record
            return replace(record, prediction=choice, predicted_at=now, opened_at=record.opened_at or now)

        event = Event(now, "predicted", slug, step.predict.choices[choice])
        record = await self._update(slug, decide, event)
        with suppress(EngineError):
            await self.check(slug, pressed=False)  # records the state before the run: a later check detects the change
        return record

    async def run(self, slug: str, number: int) -> CommandResult:
        """Runs the command with the index ``number`` and returns its result. Raises StepLockedError if the prediction
        is missing. Raises ValueError if the step has no such command, or if it must be typed in a terminal."""
        step, stage, _ = await self.open(slug)
        if stage is StepStage.PREDICT:
            raise StepLockedError("Predict first, then run the command.")
        if not 0 <= number < len(step.run):
            raise ValueError("This step has no such command.")
        command = step.run[number]
        if command.terminal_reason:
            raise ValueError(command.terminal_reason)
        result = await run_anywhere(self.host, command.line, command.action)
        detail = f"{command.line}: {result.failed}" if result.failed else command.line
        await self._update(slug, lambda record: record, Event(self.clock(), "did", slug, detail))
        return result

    async def check(self, slug: str, *, pressed: bool, fresh: bool = False) -> CheckResult:
        """Observes the host, judges the step, and records the result unless the step is done already.

        ``pressed`` is true if the user has requested the check, and false for an automatic check. If ``pressed`` or
        ``fresh`` is true, an observation that is already in progress is not used. Raises StepLockedError or
        EngineUnreachable.
        """
        step, stage, before = await self.open(slug)
        observation = await self._observe(step, fresh=pressed or fresh)
        judgement = judge_step(step, observation, dict(before.noted), before.truth)
        advice = advise(step, observation, judgement, self.workshop.steps[: self.workshop.index(slug)])
        picture = draw_engine(observation)
        if stage is StepStage.DONE:
            return CheckResult(judgement, before, advice, True, observation.problem, observation.images, picture)
        now = self.clock()
        failing = judgement.findings[judgement.failing].expected if judgement.failing is not None else ""
        passed = is_done(step, before, judgement, pressed=pressed)
        failed_attempt = pressed and not judgement.ok and stage is StepStage.RUN

        def decide(record: StepRecord) -> StepRecord:
            return replace(
                record,
                opened_at=record.opened_at or now,
                noted={**record.noted, **judgement.noted},
                truth=judgement.truth if passed or judgement.truth else record.truth,
                attempts=record.attempts + failed_attempt,
                unmet=record.unmet or not judgement.ok,
                failing=failing,
                passed_at=record.passed_at or (now if passed else 0.0),
            )

        events = [Event(now, "checked", slug, failing)] if failed_attempt else []
        events += [Event(now, "passed", slug, judgement.truth)] if passed else []
        record = await self._update(slug, decide, *events)
        if passed:
            await self._finish(now)
        return CheckResult(judgement, record, advice, passed, observation.problem, observation.images, picture)

    async def hint(self, slug: str, number: int) -> None:
        """Records that the user has opened the step's hints up to ``number``. Raises StepLockedError."""
        step, _, _ = await self.open(slug)
        opened = min(max(number, 0), len(step.hints))
        event = Event(self.clock(), "hint", slug, str(opened))
        await self._update(slug, lambda record: replace(record, hints=max(record.hints, opened)), event)

    async def _observe(self, step: Step, *, fresh: bool) -> Observation:
        if fresh or self.observations is None:
            return await observe_host(self.host, time.time(), step.lookups, step.ports, rules=step.reads_rules)
        return await self.observations.observe(self.host, step)

    async def _update(self, slug: str, decide: Callable[[StepRecord], StepRecord], *events: Event) -> StepRecord:
        record: StepRecord = await self.database.run(
            store.update_step, self.person, self.workshop.slug, slug, decide, *events
        )
        return record

    async def _finish(self, now: float) -> None:
        progress = await self.database.run(store.load_progress, self.person, self.workshop.slug)
        if progress is not None and current_step(self.workshop, progress.records) == len(self.workshop.steps):
            await self.database.run(store.mark_finished, self.person, self.workshop.slug, now)
