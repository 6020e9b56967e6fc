"""Builds the report of a session: predictions, correct answers, times, failed checks and requests for help, for each
step and for each participant."""

from collections import Counter
from collections.abc import Mapping, Sequence

from dashboard.core.measurements.statistics import percentile
from dashboard.core.training.predictions import Histogram, counted_predictions, histogram, is_late
from dashboard.core.training.results.facts import ParticipantFacts, SessionFacts, counted_records, stage_of
from dashboard.core.training.results.model import (
    CellReport,
    ChoiceReport,
    Evidence,
    FailingCheck,
    PersonReport,
    SessionReport,
    StepReport,
)
from dashboard.core.workshops.model import Step, Workshop, correct_choice
from dashboard.core.workshops.progress import EMPTY, Records, StepRecord, StepStage, describe_truth, predicted_in
from dashboard.core.workshops.truth_readings import READINGS

MAX_FAILING = 5
KERNEL, WORKSHOP = "kernel", "workshop"
NO_QUESTION = Histogram("", "", (), 0)


def build_report(facts: SessionFacts, workshop: Workshop) -> SessionReport:
    """Returns the report of a session. Steps that the workshop no longer contains are left out."""
    truths, revealed = facts.truths(), facts.reveals()
    records = [counted_records(facts, participant, truths) for participant in facts.participants]
    people = tuple(
        _participant(workshop, participant, counted, truths, revealed)
        for participant, counted in zip(facts.participants, records, strict=True)
    )
    steps = tuple(
        _step(
            facts,
            step,
            number,
            [person.cells[number] for person in people],
            counted_predictions(
                (counted[step.slug] for counted in records if step.slug in counted), revealed.get(step.slug, 0.0)
            ),
        )
        for number, step in enumerate(workshop.steps)
    )
    began = min((one.joined_at for one in facts.participants), default=facts.ends_at)
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


def _participant(
    workshop: Workshop,
    facts: ParticipantFacts,
    records: Records,
    truths: Mapping[str, str],
    revealed: Mapping[str, float],
) -> PersonReport:
    counts = Counter((event.kind, event.step) for event in facts.events)
    failing = {event.step: event.detail for event in facts.events if event.kind == "checked" and event.detail}
    cells = tuple(
        _cell(
            step,
            records.get(step.slug, EMPTY),
            truths.get(step.slug, ""),
            revealed.get(step.slug, 0.0),
            failing=failing.get(step.slug, ""),
            hands=counts["hand", step.slug],
            questions=counts["asked", step.slug],
        )
        for step in workshop.steps
    )
    return PersonReport(
        seat=facts.id,
        name=facts.name,
        group=facts.group,
        joined_at=facts.joined_at,
        left_at=facts.left_at,
        done=sum(cell.state == StepStage.DONE for cell in cells),
        answered=sum(bool(cell.predicted) for cell in cells),
        known=sum(cell.right is not None for cell in cells),
        right=sum(bool(cell.right) for cell in cells),
        attempts=sum(cell.attempts for cell in cells),
        hints=sum(cell.hints for cell in cells),
        hands=sum(cell.hands for cell in cells),
        questions=sum(cell.questions for cell in cells),
        cells=cells,
    )


def _took(record: StepRecord) -> float | None:
    """Returns the seconds from opening a step to finishing it; None if one of the times is unknown."""
    return record.passed_at - record.opened_at if 0 < record.opened_at <= record.passed_at else None


def _cell(
    step: Step, record: StepRecord, truth: str, revealed_at: float, *, failing: str, hands: int, questions: int
) -> CellReport:
    read = record.counted_truth or truth
    predicted, right = "" if is_late(record, revealed_at) else predicted_in(step, record), None
    if step.predict is not None and predicted:
        index = correct_choice(step.predict, read)
        right = record.prediction == index if index is not None or read else None
    return CellReport(
        step=step.slug,
        state=str(stage_of(step, record)),
        seconds=_took(record),
        attempts=record.attempts,
        predicted=predicted,
        truth=describe_truth(step, read),
        right=right,
        hints=record.hints,
        hands=hands,
        questions=questions,
        failing=failing or record.failing,
    )


def _failing(facts: SessionFacts, step: str) -> tuple[FailingCheck, ...]:
    failures: Counter[str] = Counter()
    people: Counter[str] = Counter()
    for participant in facts.participants:
        failed = [
            event.detail
            for event in participant.events
            if event.kind == "checked" and event.step == step and event.detail
        ]
        failures.update(failed)
        people.update(set(failed))
    return tuple(FailingCheck(text, count, people[text]) for text, count in failures.most_common(MAX_FAILING))


def _evidence(facts: SessionFacts, step: Step) -> tuple[Evidence, ...]:
    if step.predict is None or step.predict.reading is None:
        return ()
    counts = Counter(one.reading for one in facts.readings.get(step.slug, ()) if one.reading)
    evidence = []
    for reading, count in counts.most_common():
        index = correct_choice(step.predict, reading)
        evidence.append(Evidence(reading, step.predict.choices[index] if index is not None else "", count))
    return tuple(evidence)


def _about(step: Step) -> str:
    reading = step.predict.reading if step.predict is not None else None
    if reading is None or reading.kind not in READINGS:
        return ""
    arguments = ", ".join(f"{name} {value}" for name, value in reading.arguments.items())
    return READINGS[reading.kind].about + (f" ({arguments})" if arguments else "")


def share_of(part: int, whole: int) -> float | None:
    """Returns ``part`` divided by ``whole``; None if ``whole`` is 0."""
    return part / whole if whole else None


def _step(
    facts: SessionFacts, step: Step, number: int, cells: Sequence[CellReport], predictions: Sequence[int]
) -> StepReport:
    answers = histogram(step, predictions, facts.truth(step.slug), revealed=True) or NO_QUESTION
    known = sum(cell.right is not None for cell in cells)
    right = sum(bool(cell.right) for cell in cells)
    times = [cell.seconds for cell in cells if cell.seconds is not None]
    return StepReport(
        slug=step.slug,
        number=number + 1,
        title=step.title,
        question=answers.question,
        choices=tuple(
            ChoiceReport(choice.text, choice.count, share_of(choice.count, answers.answered), choice.right)
            for choice in answers.choices
        ),
        answered=answers.answered,
        known=known,
        right=right,
        share_right=share_of(right, known),
        truth=answers.truth,
        source="" if not answers.truth else KERNEL if answers.read else WORKSHOP,
        about=_about(step),
        evidence=_evidence(facts, step),
        revealed_at=facts.reveals().get(step.slug, 0.0),
        opened=sum(cell.state != StepStage.LOCKED for cell in cells),
        done=sum(cell.state == StepStage.DONE for cell in cells),
        median_s=percentile(times, 50) if times else None,
        p90_s=percentile(times, 90) if times else None,
        attempts=sum(cell.attempts for cell in cells),
        failing=_failing(facts, step.slug),
        hints=sum(cell.hints for cell in cells),
        hands=sum(cell.hands for cell in cells),
        questions=sum(cell.questions for cell in cells),
    )
