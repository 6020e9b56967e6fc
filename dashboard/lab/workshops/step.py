"""What somebody does in a workshop: predict, run, have it checked. One place for the pages and for sessions.

``host`` is where the person works; ``person`` is who it is. Whoever wants to know what happens passes ``heard``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from dashboard.core.workshops.advice import advise
from dashboard.core.workshops.model import Judged, Step, Workshop, judge_step
from dashboard.core.workshops.observation import Observation
from dashboard.core.workshops.progress import Stage, StepRecord, is_done, reached, stage
from dashboard.engine.protocol import EngineError
from dashboard.lab.workshops.commands import Done, do
from dashboard.lab.workshops.snapshot import WorkshopHost, look
from dashboard.store import workshops as store
from dashboard.store.database import DatabaseThread
from dashboard.store.workshops import Event

Heard = Callable[[str, Event], None]


class NotOpenError(Exception):
    """The step cannot be worked on now; ``str()`` is a sentence that says what to do first."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at a step came to. ``advice`` helps where it is not done; ``passed`` tells that it is done
    now; ``images`` are those of the engine."""

    judged: Judged
    record: StepRecord
    advice: str = ""
    passed: bool = False
    problem: str = ""
    images: frozenset[str] = frozenset()


@dataclass(slots=True)
class Play:
    """Somebody in a workshop on a host. ``until`` is a gate that somebody else keeps (a step's number); ``free``:
    what is open does not depend on what was done before."""

    host: WorkshopHost
    database: DatabaseThread
    clock: Callable[[], float]
    person: str
    workshop: Workshop
    until: int | None = None
    heard: Heard | None = None
    looks: Looks | None = None
    free: bool = False

    async def open(self, slug: str) -> tuple[Step, Stage, StepRecord]:
        """The step with where it stands; NotOpenError if an earlier one must be done first."""
        number = self.workshop.index(slug)
        walk = await self.database.run(store.walk_of, self.person, self.workshop.slug)
        if number is None or walk is None:
            raise NotOpenError("Start the workshop first.")
        found = stage(self.workshop, walk.records, number, self.until, free=self.free)
        if found is Stage.LOCKED:
            first = self.workshop.steps[min(reached(self.workshop, walk.records, self.until), number)]
            raise NotOpenError(f"This step opens when “{first.title}” is done.")
        return self.workshop.steps[number], found, walk.records.get(slug, StepRecord())

    async def predict(self, slug: str, choice: int) -> StepRecord:
        """Notes a prediction; the first one counts, and what there is now. ValueError if there is no such choice."""
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
            await self.check(slug, pressed=False)  # how it was before: a later look then sees that something changed
        return record

    async def run(self, slug: str, number: int) -> Done:
        """Presses the button of a command; NotOpenError before the prediction."""
        step, where, _ = await self.open(slug)
        if where is Stage.PREDICT:
            raise NotOpenError("Predict first: then run it and see.")
        if not 0 <= number < len(step.run):
            raise ValueError("There is no such command in this step.")
        command = step.run[number]
        done = await do(self.host, command.line, command.action)
        detail = f"{command.line}: {done.failed}" if done.failed else command.line
        await self._update(slug, lambda record: record, Event(self.clock(), "did", slug, detail))
        return done

    async def check(self, slug: str, *, pressed: bool, fresh: bool = False) -> Checked:
        """Looks, judges, and notes what came of it. ``pressed`` is false for a look that nobody asked for;
        ``fresh`` takes no look that began before."""
        step, where, before = await self.open(slug)
        observation = await self._look(step, fresh=pressed or fresh)
        judged = judge_step(step, observation, dict(before.noted), before.truth)
        advice = advise(step, observation, judged, self.workshop.steps[: self.workshop.index(slug)])
        if where is Stage.DONE:
            return Checked(judged, before, advice, True, observation.problem, observation.images)
        now = self.clock()
        failing = judged.findings[judged.failing].expected if judged.failing is not None else ""
        passed = is_done(step, before, judged, pressed=pressed)

        def decide(record: StepRecord) -> StepRecord:
            return replace(
                record,
                opened_at=record.opened_at or now,
                noted={**record.noted, **judged.noted},
                truth=judged.truth if passed or judged.truth else record.truth,
                attempts=record.attempts + (1 if pressed and not judged.ok and where is Stage.RUN else 0),
                unmet=record.unmet or not judged.ok,
                failing=failing,
                passed_at=record.passed_at or (now if passed else 0.0),
            )

        events = [Event(now, "checked", slug, failing)] if pressed and where is Stage.RUN and not judged.ok else []
        events += [Event(now, "passed", slug, judged.truth)] if passed else []
        record = await self._update(slug, decide, *events)
        if passed:
            await self._finish(now)
        return Checked(judged, record, advice, passed, observation.problem, observation.images)

    async def hint(self, slug: str, number: int) -> None:
        """Notes that a hint was unfolded."""
        step, _, _ = await self.open(slug)
        shown = min(max(number, 0), len(step.hints))
        event = Event(self.clock(), "hint", slug, str(shown))
        await self._update(slug, lambda record: replace(record, hints=max(record.hints, shown)), event)

    async def _look(self, step: Step, *, fresh: bool) -> Observation:
        if fresh or self.looks is None:
            return await look(self.host, self.clock(), step.lookups, step.ports)
        return await self.looks.look(self.host, self.clock, step)

    async def _update(self, slug: str, decide: Callable[[StepRecord], StepRecord], *events: Event) -> StepRecord:
        record: StepRecord = await self.database.run(
            store.update, self.person, self.workshop.slug, slug, decide, *events
        )
        if self.heard is not None:
            for event in events:
                self.heard(self.person, event)
        return record

    async def _finish(self, now: float) -> None:
        walk = await self.database.run(store.walk_of, self.person, self.workshop.slug)
        if walk is not None and reached(self.workshop, walk.records) == len(self.workshop.steps):
            await self.database.run(store.finish, self.person, self.workshop.slug, now)


@dataclass(slots=True)
class Looks:
    """Looks that nobody pressed for, shared: who asks while another looks for the same gets that answer."""

    _under_way: dict[tuple[str, tuple[str, ...], tuple[int, ...]], asyncio.Task[Observation]] = field(
        default_factory=dict
    )

    async def look(self, host: WorkshopHost, clock: Callable[[], float], step: Step) -> Observation:
        """An observation for this step."""
        key = (str(id(host.engine)), step.lookups, step.ports)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(look(host, clock(), step.lookups, step.ports))
            self._under_way[key] = task
            task.add_done_callback(lambda _task: self._under_way.pop(key, None))
        return await asyncio.shield(task)
