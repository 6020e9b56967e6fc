"""Everything that is recorded about a session. Its report and its replay are computed from this."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dashboard.core.training.pacing import Pace
from dashboard.core.training.predictions import session_truth
from dashboard.core.training.session import HostsFor
from dashboard.core.workshops.model import Step
from dashboard.core.workshops.progress import EMPTY, Event, Records, StepRecord, StepStage


@dataclass(frozen=True, slots=True)
class ParticipantFacts:
    """What is recorded about one participant. ``left_at`` is when the participant was removed, 0 for never."""

    id: str
    name: str
    group: int
    joined_at: float
    left_at: float = 0.0
    records: Records = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    def had_left(self, at: float) -> bool:
        """Whether the participant was removed before the time ``at``."""
        return 0 < self.left_at < at


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from a kernel in a step, and when."""

    at: float
    reading: str


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What is recorded about a session. ``events`` are the instructor's, in order of time. ``readings`` maps steps to
    what was read from kernels to find the correct answer. ``until`` is the time of the query. It counts as the end of a
    session that is still open."""

    id: str
    title: str
    workshop: str
    created_at: float
    closed_at: float
    until: float
    pace: str = "together"
    hosts: str = HostsFor.NONE
    team_size: int = 1
    events: tuple[Event, ...] = ()
    participants: tuple[ParticipantFacts, ...] = ()
    readings: Mapping[str, tuple[Reading, ...]] = field(default_factory=dict)

    @property
    def ends_at(self) -> float:
        """The time at which the session was closed, or the time of the query if it is open."""
        return self.closed_at or self.until

    @property
    def first_pace(self) -> str:
        """The pace with which the session was created. Earlier versions did not record it: if the pace was set later,
        the session counts as created with the pace ``together``."""
        first = next((event for event in self.events if event.kind == "pace"), None)
        if first is None:
            return self.pace
        return first.detail if first.at <= self.created_at else str(Pace.TOGETHER)

    def reveals(self) -> dict[str, float]:
        """Returns the times at which answers were revealed, by step."""
        revealed: dict[str, float] = {}
        for event in self.events:
            if event.kind == "revealed":
                revealed.setdefault(event.detail, event.at)
        return revealed

    def members(self, at: float) -> list[int]:
        """Returns the indexes of the participants of the session at this time, including those who were away."""
        return [who for who, one in enumerate(self.participants) if one.joined_at <= at and not one.had_left(at)]

    def truth(self, step: str, until: float | None = None) -> str:
        """Returns the most frequent reading (``Reading``) of a step, which counts as its correct answer; empty without
        readings. If ``until`` is given, later readings do not count."""
        readings = self.readings.get(step, ())
        return session_truth(reading.reading for reading in readings if until is None or reading.at <= until)

    def truths(self) -> dict[str, str]:
        """Returns, by step, the most frequent reading, which counts as the correct answer (see ``truth``)."""
        return {step: self.truth(step) for step in self.readings}


def counted_records(facts: SessionFacts, participant: ParticipantFacts, truths: Mapping[str, str]) -> Records:
    """Returns a participant's records as the session counts them.

    In a session without hosts, a step counts as done once its answer is revealed, unless the participant was removed
    before. ``truths`` has the correct answers by step; they complete records without a ``truth``.
    """
    if facts.hosts != HostsFor.NONE:
        return participant.records
    counted: dict[str, StepRecord] = dict(participant.records)
    for step, at in facts.reveals().items():
        record = counted.get(step, EMPTY)
        if not record.passed_at and not participant.had_left(at):
            truth = record.truth or truths.get(step, "")
            counted[step] = replace(record, passed_at=max(at, participant.joined_at), truth=truth)
    return counted


def stage_of(step: Step, record: StepRecord) -> StepStage:
    """Returns the stage of a participant in a step; ``locked`` if the step was never opened."""
    if record.passed_at:
        return StepStage.DONE
    if not record.opened_at and record.prediction is None:
        return StepStage.LOCKED
    return StepStage.PREDICT if step.predict is not None and record.prediction is None else StepStage.RUN
