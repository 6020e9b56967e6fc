"""What goes on in a class: answers, messages, what everybody may know, and the instructor's grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from django.db.models import Count, Q

from dashboard.core.training.messages import ParticipantState, Said, SessionState
from dashboard.core.training.pacing import Pacing, pacing_of, with_revealed
from dashboard.core.training.predictions import Histogram, Score, class_truth, histogram, score_of
from dashboard.core.training.session import HostsFor, Line, group_key, in_order, line_of
from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import Records, StepRecord
from dashboard.models import Answer, GroupHost, Message, Participant, TrainingSession, WorkshopProgress, WorkshopStep
from dashboard.store import workshops as workshop_store
from dashboard.store.training import participants as participant_store
from dashboard.store.training.sessions import person_of_class
from dashboard.store.workshops import Event, Walk
from dashboard.store.write_lock import writing

SAID_MOST = 30
MESSAGES_MOST = 200


def pacing(row: TrainingSession, workshop: Workshop) -> Pacing:
    """How far people may go now."""
    return pacing_of(workshop, row.pace, row.step, row.gate, locked=row.locked)


def answer(row: TrainingSession, participant: str, step: str, choice: int, text: str, now: float) -> int:
    """Notes a prediction once; what counts now is returned: the first one. In the walk it stands in the same
    transaction, so that neither is without the other."""
    with writing():
        found, made = Answer.objects.get_or_create(
            participant_id=participant, step=step, defaults={"session_id": row.id, "choice": choice, "at": now}
        )
        if made:
            person = participant_store.person_of(participant)

            def decide(record: StepRecord) -> StepRecord:
                opened = record.opened_at or now
                return replace(record, prediction=choice, predicted_at=now, opened_at=opened)

            workshop_store.update(person, row.workshop, step, decide, Event(now, "predicted", step, text))
    return found.choice


def opened(row: TrainingSession, participant: str, step: str, now: float) -> None:
    """Somebody has a step before them for the first time."""
    person = participant_store.person_of(participant)

    def decide(record: StepRecord) -> StepRecord:
        return record if record.opened_at else replace(record, opened_at=now)

    with writing():
        workshop_store.update(person, row.workshop, step, decide)


def say(session: str, participant: str | None, step: str, text: str, now: float, *, from_instructor: bool) -> bool:
    """Writes a hint or a question; False once somebody has written more than anybody reads."""
    if Message.objects.filter(session_id=session, participant_id=participant).count() >= MESSAGES_MOST:
        return False
    Message.objects.create(
        session_id=session, participant_id=participant, step=step, at=now, from_instructor=from_instructor, text=text
    )
    return True


def said_to(session: str, participant: str) -> tuple[Said, ...]:
    """What was written by and to somebody, and to all; the newest last."""
    rows = Message.objects.filter(Q(participant_id=participant) | Q(participant_id=None), session_id=session).order_by(
        "-pk"
    )[:SAID_MOST]
    return tuple(Said(one.at, one.text, one.from_instructor, one.participant_id is None) for one in reversed(rows))


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked."""

    participant: str
    name: str
    step: str
    at: float
    text: str


def asked(session: str) -> tuple[Question, ...]:
    """What people wrote to the instructor, the newest first."""
    rows = Message.objects.filter(session_id=session, from_instructor=False, participant__removed_at=0.0)
    found = rows.select_related("participant").order_by("-pk")[:SAID_MOST]
    return tuple(
        Question(one.participant.id, one.participant.name, one.step, one.at, one.text)
        for one in found
        if one.participant
    )


def participant_state(session: str, participant: str) -> ParticipantState | None:
    """What only this participant is told; None if there is no such participant any more."""
    row = (
        Participant.objects.filter(session_id=session, pk=participant, removed_at=0.0).select_related("session").first()
    )
    if row is None:
        return None
    hosts = row.session.hosts != HostsFor.NONE
    host = GroupHost.objects.filter(pk=group_key(session, row.group)).first() if hosts else None
    return ParticipantState(
        row.name,
        bool(row.admitted_at),
        bool(row.hand_raised_at),
        said_to(session, participant),
        host.state if host is not None else "",
        host.reason if host is not None else "",
    )


def hosts_of(session: str) -> dict[int, tuple[str, str]]:
    """By group, how its host is: what may change without anybody asking for it."""
    rows = GroupHost.objects.filter(session_id=session).values_list("group", "state", "reason")
    return {int(group.rpartition("-")[2]): (state, reason) for group, state, reason in rows}


def participants_in_groups(session: str, groups: Collection[int]) -> tuple[str, ...]:
    """Who sits in these groups."""
    return tuple(Participant.objects.filter(session_id=session, group__in=groups).values_list("id", flat=True))


def _people(row: TrainingSession) -> list[str]:
    """Whose looks count as the kernel's evidence: everybody's, the instructor's own, and that of the reveal."""
    participants = row.participants.filter(removed_at=0.0).values_list("id", flat=True)
    return [
        *(participant_store.person_of(one) for one in participants),
        f"user:{row.owner_id}",
        person_of_class(row.id),
    ]


def readings(row: TrainingSession, steps: Collection[str]) -> dict[str, list[tuple[float, str]]]:
    """Every look of the class at a kernel, by step: when the step was done by whoever looked (0 for one that was looked
    at for all), and what was read."""
    rows = WorkshopStep.objects.filter(
        progress__person__in=_people(row), progress__workshop=row.workshop, step__in=steps
    ).exclude(truth="")
    found: dict[str, list[tuple[float, str]]] = {}
    for step, at, truth in rows.order_by("pk").values_list("step", "passed_at", "truth"):
        found.setdefault(step, []).append((at, truth))
    return found


def truths(row: TrainingSession, steps: Collection[str]) -> dict[str, str]:
    """What the kernel said in these steps, by step."""
    return {step: class_truth(truth for _, truth in found) for step, found in readings(row, steps).items()}


def histogram_of(row: TrainingSession, workshop: Workshop, slug: str, *, peek: bool = False) -> Histogram | None:
    """The answers to the question of a step. ``peek``: with the truth, revealed or not; for the instructor."""
    number = workshop.index(slug)
    if number is None:
        return None
    step = workshop.steps[number]
    revealed = slug in row.revealed()
    counted = Answer.objects.filter(session_id=row.id, step=slug).values_list("choice").annotate(Count("pk"))
    truth = truths(row, [slug]).get(slug, "") if revealed or peek else ""
    return histogram(step, Counter(dict(counted)).elements(), truth, revealed=revealed or peek)


def state_of(row: TrainingSession, workshop: Workshop, present: int) -> SessionState:
    """What everybody may know."""
    number = workshop.index(row.step) or 0
    step = workshop.steps[number]
    revealed = row.revealed()
    hint = Message.objects.filter(session_id=row.id, participant_id=None, from_instructor=True).order_by("-pk").first()
    return SessionState(
        title=row.title,
        step=step.slug,
        step_title=step.title,
        number=number + 1,
        of=len(workshop.steps),
        pace=row.pace,
        gate=row.gate,
        open_until=pacing(row, workshop).until,
        locked=row.locked,
        timer_ends_at=row.timer_ends_at,
        closed=bool(row.closed_at),
        mirror=row.mirror_id is not None,
        pointer=row.pointed_row,
        participants=row.participants.filter(removed_at=0.0).exclude(admitted_at=0.0).count(),
        present=present,
        answered=Answer.objects.filter(session_id=row.id, step=step.slug).count(),
        hosts=row.hosts != HostsFor.NONE,
        revealed=revealed,
        histogram=histogram_of(row, workshop, step.slug) if step.slug in revealed else None,
        hint=None if hint is None else Said(hint.at, hint.text, from_instructor=True, to_all=True),
    )


def records_of(row: TrainingSession, walk: Walk | None, now: float) -> Records:
    """What somebody has done, as the session counts it: where nobody has a host, what was revealed is done."""
    records: Records = walk.records if walk else {}
    revealed = row.revealed()
    if row.hosts != HostsFor.NONE or not revealed:
        return records
    return with_revealed(records, revealed, truths(row, revealed), now)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the instructor's grid."""

    participant: Participant
    line: Line
    score: Score | None
    present: bool


@dataclass(frozen=True, slots=True)
class Class:
    """The whole grid. ``asking`` are those who need help, the most urgent first; ``waiting`` stand at the door."""

    people: tuple[Person, ...]
    asking: tuple[Person, ...]
    waiting: tuple[Participant, ...]


def _walks(people: Iterable[str], workshop: str) -> dict[str, Records]:
    rows = WorkshopProgress.objects.filter(person__in=list(people), workshop=workshop).prefetch_related("steps")
    return {row.person: workshop_store.walk_from(row).records for row in rows}


def class_of(row: TrainingSession, workshop: Workshop, now: float, present: Mapping[str, bool]) -> Class:
    """Everybody in the class, with how far they have come and whether they need help."""
    everybody = list(row.participants.filter(removed_at=0.0))
    admitted_rows = [one for one in everybody if one.admitted_at]
    walks = _walks((participant_store.person_of(one.id) for one in admitted_rows), row.workshop)
    keeps, revealed = pacing(row, workshop), row.revealed()
    known = truths(row, revealed) if row.hosts == HostsFor.NONE and revealed else {}
    people: dict[str, Person] = {}
    for one in admitted_rows:
        records = walks.get(participant_store.person_of(one.id), {})
        if row.hosts == HostsFor.NONE:
            records = with_revealed(records, revealed, known, now)
        line = line_of(workshop, records, now, hand_raised_at=one.hand_raised_at, until=keeps.until, free=keeps.free)
        score = score_of(workshop.steps, records, frozenset(revealed)) if row.scores else None
        people[one.id] = Person(one, line, score, present.get(one.id, False))
    asking = in_order({key: one.line for key, one in people.items()})
    waiting = tuple(one for one in everybody if not one.admitted_at)
    return Class(tuple(people.values()), tuple(people[key] for key in asking), waiting)
