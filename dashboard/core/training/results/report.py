"""What became of a class: each step's predictions against the truth, times, failed checks, help; and each person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from dashboard.core.measurements.statistics import percentile
from dashboard.core.training.predictions import histogram
from dashboard.core.training.results.facts import PersonFacts, SessionFacts, as_counted, stage_of
from dashboard.core.training.results.model import (
    CellReport,
    ChoiceReport,
    Evidence,
    FailingCheck,
    PersonReport,
    SessionReport,
    StepReport,
)
from dashboard.core.workshops.model import Step, Workshop, right_choice
from dashboard.core.workshops.progress import EMPTY, Records, Stage, StepRecord, truth_in_words
from dashboard.core.workshops.truth_readings import READINGS

MOST_FAILING = 5
KERNEL, WORKSHOP = "kernel", "workshop"


def build_report(facts: SessionFacts, workshop: Workshop) -> SessionReport:
    """The whole report. Steps that the workshop has lost since are not in it."""
    truths = facts.truths()
    records = [as_counted(facts, one, truths) for one in facts.people]
    people = tuple(_person(workshop, one, counted, truths) for one, counted in zip(facts.people, records, strict=True))
    steps = tuple(
        _step(
            facts, step, number, [one.cells[number] for one in people], [one.get(step.slug, EMPTY) for one in records]
        )
        for number, step in enumerate(workshop.steps)
    )
    began = min((one.joined_at for one in facts.people), default=facts.ends_at)
    return SessionReport(
        id=facts.id,
        title=facts.title,
        workshop=workshop.slug,
        workshop_title=workshop.title,
        created_at=facts.created_at,
        closed_at=facts.closed_at,
        took_s=max(0.0, facts.ends_at - began),
        pace=facts.pace,
        hosts=facts.hosts,
        team_size=facts.team_size,
        joined=len(people),
        steps=steps,
        people=people,
    )


def _person(workshop: Workshop, person: PersonFacts, records: Records, truths: Mapping[str, str]) -> PersonReport:
    counts = Counter((one.kind, one.step) for one in person.deeds)
    failing = {one.step: one.detail for one in person.deeds if one.kind == "checked" and one.detail}
    cells = tuple(
        _cell(
            step,
            records.get(step.slug, EMPTY),
            truths.get(step.slug, ""),
            failing=failing.get(step.slug, ""),
            hands=counts["hand", step.slug],
            questions=counts["asked", step.slug],
        )
        for step in workshop.steps
    )
    return PersonReport(
        seat=person.id,
        name=person.name,
        group=person.group,
        joined_at=person.joined_at,
        left_at=person.left_at,
        done=sum(1 for one in cells if one.state == Stage.DONE),
        answered=sum(1 for one in cells if one.predicted),
        known=sum(1 for one in cells if one.right is not None),
        right=sum(1 for one in cells if one.right),
        attempts=sum(one.attempts for one in cells),
        hints=sum(one.hints for one in cells),
        hands=sum(one.hands for one in cells),
        questions=sum(one.questions for one in cells),
        cells=cells,
    )


def predicted_in(step: Step, record: StepRecord) -> str:
    """What somebody predicted, in words; empty for nothing."""
    asked, number = step.predict, record.prediction
    return asked.choices[number] if asked is not None and number is not None and number < len(asked.choices) else ""


def _took(record: StepRecord) -> float | None:
    """From when a step was opened until it was done; None where either is not known."""
    return record.passed_at - record.opened_at if 0 < record.opened_at <= record.passed_at else None


def _cell(step: Step, record: StepRecord, truth: str, *, failing: str, hands: int, questions: int) -> CellReport:
    read = record.truth or truth
    predicted, right = predicted_in(step, record), None
    if step.predict is not None and predicted:
        index = right_choice(step.predict, read)
        right = record.prediction == index if index is not None or read else None
    return CellReport(
        step=step.slug,
        state=str(stage_of(step, record)),
        seconds=_took(record),
        attempts=record.attempts,
        predicted=predicted,
        truth=truth_in_words(step, read),
        right=right,
        hints=record.hints,
        hands=hands,
        questions=questions,
        failing=failing or record.failing,
    )


def _failing(facts: SessionFacts, step: str) -> tuple[FailingCheck, ...]:
    often: Counter[str] = Counter()
    whose: Counter[str] = Counter()
    for person in facts.people:
        failed = [one.detail for one in person.deeds if one.kind == "checked" and one.step == step and one.detail]
        often.update(failed)
        whose.update(set(failed))
    return tuple(FailingCheck(text, count, whose[text]) for text, count in often.most_common(MOST_FAILING))


def _evidence(facts: SessionFacts, step: Step) -> tuple[Evidence, ...]:
    if step.predict is None or step.predict.reading is None:
        return ()
    counts = Counter(one.reading for one in facts.looks.get(step.slug, ()) if one.reading)
    found = []
    for reading, looks in counts.most_common():
        index = right_choice(step.predict, reading)
        found.append(Evidence(reading, step.predict.choices[index] if index is not None else "", looks))
    return tuple(found)


def _about(step: Step) -> str:
    reading = step.predict.reading if step.predict is not None else None
    if reading is None or reading.kind not in READINGS:
        return ""
    asked = ", ".join(f"{name} {value}" for name, value in reading.arguments.items())
    return READINGS[reading.kind].about + (f" ({asked})" if asked else "")


def share_of(part: int, whole: int) -> float | None:
    """A share from 0 to 1; None of nothing."""
    return part / whole if whole else None


def _step(
    facts: SessionFacts, step: Step, number: int, cells: Sequence[CellReport], records: Sequence[StepRecord]
) -> StepReport:
    asked = [one.prediction for one in records if one.prediction is not None]
    found = histogram(step, asked, facts.truth(step.slug), revealed=True)
    known = sum(1 for one in cells if one.right is not None)
    right = sum(1 for one in cells if one.right)
    times = [one.seconds for one in cells if one.seconds is not None]
    source = "" if found is None or not found.truth else KERNEL if found.read else WORKSHOP
    return StepReport(
        slug=step.slug,
        number=number + 1,
        title=step.title,
        question=found.question if found is not None else "",
        choices=tuple(
            ChoiceReport(one.text, one.count, share_of(one.count, found.answered), one.right) for one in found.choices
        )
        if found is not None
        else (),
        answered=found.answered if found is not None else 0,
        known=known,
        right=right,
        share_right=share_of(right, known),
        truth=found.truth if found is not None else "",
        source=source,
        about=_about(step),
        evidence=_evidence(facts, step),
        revealed_at=facts.reveals().get(step.slug, 0.0),
        opened=sum(1 for one in cells if one.state != Stage.LOCKED),
        done=sum(1 for one in cells if one.state == Stage.DONE),
        median_s=percentile(times, 50) if times else None,
        p90_s=percentile(times, 90) if times else None,
        attempts=sum(one.attempts for one in cells),
        failing=_failing(facts, step.slug),
        hints=sum(one.hints for one in cells),
        hands=sum(one.hands for one in cells),
        questions=sum(one.questions for one in cells),
    )
