"""What is known of a class that met: its report and its replay are made from this. No clock: times are in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dashboard.core.training.predictions import class_truth
from dashboard.core.training.session import HostsFor
from dashboard.core.workshops.model import Step
from dashboard.core.workshops.progress import EMPTY, Records, Stage, StepRecord


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that happened. ``kind`` of a person's: started, predicted, did, checked, hint, passed, finished, hand,
    asked (a question), told (the instructor to this person); of the session's: those of ``SessionEvent``, and told."""

    at: float
    kind: str
    step: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """One participant. ``left_at`` is when it was taken away, 0 for never."""

    id: str
    name: str
    group: int
    joined_at: float
    left_at: float = 0.0
    records: Records = field(default_factory=dict)
    deeds: tuple[Deed, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a kernel said in a step, and when."""

    at: float
    reading: str


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A whole session. ``events`` are the instructor's, in order; ``looks`` what was read in each step.
    ``until`` is when one looks."""

    id: str
    title: str
    workshop: str
    created_at: float
    closed_at: float
    until: float
    pace: str = "together"
    hosts: str = HostsFor.NONE
    team_size: int = 1
    events: tuple[Deed, ...] = ()
    people: tuple[PersonFacts, ...] = ()
    looks: Mapping[str, tuple[Looked, ...]] = field(default_factory=dict)

    @property
    def ends_at(self) -> float:
        """When it was closed, or when one looks."""
        return self.closed_at or self.until

    def reveals(self) -> dict[str, float]:
        """When the answer of each step was shown to all."""
        found: dict[str, float] = {}
        for one in self.events:
            if one.kind == "revealed":
                found.setdefault(one.detail, one.at)
        return found

    def truth(self, step: str, until: float | None = None) -> str:
        """What the kernel said in a step, by all looks (``until`` then)."""
        looks = self.looks.get(step, ())
        return class_truth(one.reading for one in looks if until is None or one.at <= until)

    def truths(self) -> dict[str, str]:
        """What the kernel said, by step."""
        return {step: self.truth(step) for step in self.looks}


def as_counted(facts: SessionFacts, person: PersonFacts, truths: Mapping[str, str]) -> Records:
    """What somebody has done, as the session counts it: where nobody has a host, a step is done for all who are there
    once its answer was shown."""
    if facts.hosts != HostsFor.NONE:
        return person.records
    counted: dict[str, StepRecord] = dict(person.records)
    for step, at in facts.reveals().items():
        record = counted.get(step, EMPTY)
        if not record.passed_at and not 0 < person.left_at < at:
            truth = record.truth or truths.get(step, "")
            counted[step] = replace(record, passed_at=max(at, person.joined_at), truth=truth)
    return counted


def stage_of(step: Step, record: StepRecord) -> Stage:
    """How far somebody came in a step; ``locked`` is one that was never before them."""
    if record.passed_at:
        return Stage.DONE
    if not record.opened_at and record.prediction is None:
        return Stage.LOCKED
    return Stage.PREDICT if step.predict is not None and record.prediction is None else Stage.RUN
