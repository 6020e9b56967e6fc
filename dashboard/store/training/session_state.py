"""The state of a training session: answers, messages, what participants may see, and the instructor's progress grid."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from operator import attrgetter

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from dashboard.core.training.host_plan import HostStage, can_start, shown_state
from dashboard.core.training.messages import ParticipantState, SessionMessage, SessionState
from dashboard.core.training.pacing import Pacing, pacing_of, with_revealed
from dashboard.core.training.predictions import (
    Histogram,
    Score,
    histogram,
    score_of,
    session_truth,
    without_late_predictions,
)
from dashboard.core.training.session import HostsFor, ProgressRow, by_urgency, group_key, progress_row
from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import Event, Records, StepRecord
from dashboard.models import Answer, GroupHost, Message, Participant, TrainingSession, WorkshopProgress, WorkshopStep
from dashboard.store import workshops as workshop_store
from dashboard.store.training.participants import person_of
from dashboard.store.training.sessions import person_of_session
from dashboard.store.workshops import Progress
from dashboard.store.write_lock import writing

SHOWN_MESSAGES = 30
MAX_MESSAGES = 200


def pacing(row: TrainingSession, workshop: Workshop) -> Pacing:
    """The pacing of the session, which determines the steps that are open now."""
    return pacing_of(workshop, row.pace, row.step, row.gate, locked=row.locked)


def answer(row: TrainingSession, participant: str, step: str, choice: int, text: str, now: float) -> int:
    """Stores a participant's prediction, and records it in their progress, in one transaction. ``choice`` is the index
    of the predicted choice, ``text`` its text. An existing prediction is not replaced. Returns the stored choice."""

    def decide(record: StepRecord) -> StepRecord:
        return replace(record, prediction=choice, predicted_at=now, opened_at=record.opened_at or now)

    with writing():
        stored, created = Answer.objects.get_or_create(
            participant_id=participant, step=step, defaults={"session_id": row.id, "choice": choice, "at": now}
        )
        if created:
            event = Event(now, "predicted", step, text)
            workshop_store.update_step(person_of(participant), row.workshop, step, decide, event)
    return stored.choice


def mark_opened(row: TrainingSession, participant: str, step: str, now: float) -> None:
    """Records when a participant opened a step. Only the first time is stored."""

    def decide(record: StepRecord) -> StepRecord:
        return record if record.opened_at else replace(record, opened_at=now)

    with writing():
        workshop_store.update_step(person_of(participant), row.workshop, step, decide)


def add_message(
    session: str, participant: str | None, step: str, text: str, now: float, *, from_instructor: bool
) -> None:
    """Stores a question of a participant, or a message from the instructor. ``participant`` is the id of the
    participant who asks or is addressed; None for a hint to all. Raises ValueError with a sentence for the user if
    ``MAX_MESSAGES`` messages are already stored for this participant (or for all)."""
    if Message.objects.filter(session_id=session, participant_id=participant).count() >= MAX_MESSAGES:
        raise ValueError(_("Cannot send the message: at most %(count)d messages are stored.") % {"count": MAX_MESSAGES})
    Message.objects.create(
        session_id=session, participant_id=participant, step=step, at=now, from_instructor=from_instructor, text=text
    )


def _message(row: Message) -> SessionMessage:
    return SessionMessage(row.at, row.text, row.from_instructor, row.participant_id is None)


def messages_of(session: str, participant: str) -> tuple[SessionMessage, ...]:
    """The newest messages that a participant sees, oldest first: the participant's questions, and the messages to the
    participant or to all."""
    rows = Message.objects.filter(Q(participant_id=participant) | Q(participant_id=None), session_id=session)
    return tuple(map(_message, reversed(rows.order_by("-pk")[:SHOWN_MESSAGES])))


def questions(session: str) -> tuple[Message, ...]:
    """The newest questions of participants, newest first. Each row contains its participant, so that no further query
    is needed."""
    rows = Message.objects.filter(session_id=session, from_instructor=False, participant__removed_at=0.0)
    return tuple(rows.select_related("participant").order_by("-pk")[:SHOWN_MESSAGES])


def participant_state(session: str, participant: str, absent: Collection[str] = ()) -> ParticipantState | None:
    """The state that this participant's page shows; None if the participant was removed. ``absent`` are the names of
    machines that do not respond."""
    rows = Participant.objects.filter(session_id=session, pk=participant, removed_at=0.0)
    row = rows.select_related("session").first()
    if row is None:
        return None
    hosts = row.session.hosts != HostsFor.NONE
    host = GroupHost.objects.filter(pk=group_key(session, row.group)).first() if hosts else None
    return _own_state(row, messages_of(session, participant), host, absent)


def participant_states(session: str, ids: Collection[str], absent: Collection[str] = ()) -> dict[str, ParticipantState]:
    """The states of several participants, by id, each as ``participant_state`` returns it. Removed participants are
    omitted. The number of queries does not grow with the number of participants."""
    if len(ids) == 1:
        (participant,) = ids
        state = participant_state(session, participant, absent)
        return {} if state is None else {participant: state}
    rows = list(Participant.objects.filter(session_id=session, pk__in=ids, removed_at=0.0).select_related("session"))
    groups = {group_key(session, row.group) for row in rows if row.session.hosts != HostsFor.NONE}
    hosts = GroupHost.objects.in_bulk(groups) if groups else {}
    shown: dict[str, list[SessionMessage]] = {row.id: [] for row in rows}
    messages = Message.objects.filter(session_id=session)
    to_all = messages.filter(participant_id=None).order_by("-pk")[:SHOWN_MESSAGES]
    for found in sorted(
        [*to_all, *messages.filter(participant_id__in=list(shown))], key=attrgetter("pk"), reverse=True
    ):
        message = _message(found)
        for key in shown if found.participant_id is None else (found.participant_id,):
            if len(shown[key]) < SHOWN_MESSAGES:
                shown[key].append(message)
    return {
        row.id: _own_state(row, tuple(reversed(shown[row.id])), hosts.get(group_key(session, row.group)), absent)
        for row in rows
    }


def _own_state(
    row: Participant, messages: tuple[SessionMessage, ...], host: GroupHost | None, absent: Collection[str]
) -> ParticipantState:
    stage, reason, startable = "", "", False
    if host is not None:
        stage, reason = shown_state(HostStage(host.state), host.reason, host.machine_id or "", absent)
        startable = can_start(stage, host.host)
    return ParticipantState(
        name=row.name,
        admitted=bool(row.admitted_at),
        hand=bool(row.hand_raised_at),
        messages=messages,
        host=stage,
        host_text=reason,
        host_can_start=startable,
        closed=bool(row.session.closed_at),
    )


def participants_in_groups(session: str, groups: Collection[int]) -> tuple[str, ...]:
    """The ids of the participants in these groups."""
    return tuple(Participant.objects.filter(session_id=session, group__in=groups).values_list("id", flat=True))


def readings(row: TrainingSession, steps: Collection[str]) -> dict[str, list[tuple[float, str]]]:
    """Returns the true answers that were read from the kernel, by step. Each is a tuple of a time and the answer.

    An answer is read for each current participant and for the instructor, unless a check of the step fails
    (``StepRecord.counted_truth``). Its time is when that person finished the step, in seconds since the epoch; 0 if the
    step is not finished. Another answer may be read when the instructor reveals the step. Its time is 0.
    """
    keys = row.participants.filter(removed_at=0.0).values_list("id", flat=True)
    people = [*map(person_of, keys), workshop_store.user_person(row.owner_id), person_of_session(row.id)]
    rows = WorkshopStep.objects.filter(
        Q(passed_at__gt=0) | Q(failing=""), progress__person__in=people, progress__workshop=row.workshop, step__in=steps
    ).exclude(truth="")
    by_step: dict[str, list[tuple[float, str]]] = {}
    for step, at, truth in rows.order_by("pk").values_list("step", "passed_at", "truth"):
        by_step.setdefault(step, []).append((at, truth))
    return by_step


def truths(row: TrainingSession, steps: Collection[str]) -> dict[str, str]:
    """The true answer of each of these steps, derived from ``readings``. Steps without a reading are omitted."""
    return {step: session_truth(truth for _, truth in read) for step, read in readings(row, steps).items()}


def histogram_of(row: TrainingSession, workshop: Workshop, slug: str, *, peek: bool = False) -> Histogram | None:
    """The histogram of the answers to the question of the step ``slug``; None if the step does not exist. It contains
    the true answer if the step is revealed, or if ``peek`` is true (for the instructor). Answers after the reveal do
    not count."""
    number = workshop.index(slug)
    if number is None:
        return None
    revealed = row.revealed()
    visible = peek or slug in revealed
    answers = Answer.objects.filter(session_id=row.id, step=slug)
    if slug in revealed:  # the rule of core.training.predictions.is_late
        answers = answers.filter(at__lte=revealed[slug])
    counts = dict(answers.values_list("choice").annotate(Count("pk")))
    truth = truths(row, [slug]).get(slug, "") if visible else ""
    return histogram(workshop.steps[number], Counter(counts).elements(), truth, revealed=visible)


def state_of(row: TrainingSession, workshop: Workshop, present: Collection[str]) -> SessionState:
    """The state that all participants see. ``present`` are the ids of those who are connected. Participants
    who were removed or wait for admission do not count."""
    number = workshop.index(row.step) or 0
    step = workshop.steps[number]
    revealed = row.revealed()
    hint = Message.objects.filter(session_id=row.id, participant_id=None, from_instructor=True).order_by("-pk").first()
    people = row.participants.filter(removed_at=0.0).exclude(admitted_at=0.0).values_list("id", flat=True)
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
        timer_ends_at=0.0 if row.closed_at else row.timer_ends_at,
        closed=bool(row.closed_at),
        mirror=row.mirror_id is not None,
        pointer=row.pointed_row,
        participants=len(people),
        present=len(set(present).intersection(people)),
        answered=Answer.objects.filter(session_id=row.id, step=step.slug).count(),
        hosts=row.hosts != HostsFor.NONE,
        revealed=tuple(revealed),
        histogram=histogram_of(row, workshop, step.slug) if step.slug in revealed else None,
        hint=None if hint is None else _message(hint),
    )


def records_of(row: TrainingSession, walk: Progress | None) -> Records:
    """A participant's step records as they count in the session. ``walk`` is the participant's stored progress, None
    before the workshop is started. In a session without private hosts, every revealed step counts as done."""
    records: Records = walk.records if walk else {}
    revealed = row.revealed() if row.hosts == HostsFor.NONE else {}
    return with_revealed(records, revealed, truths(row, revealed)) if revealed else records


@dataclass(frozen=True, slots=True)
class ParticipantProgress:
    """One row of the instructor's progress grid. ``score`` is None if the session has no scores; ``present`` is true
    while the participant is connected."""

    participant: Participant
    row: ProgressRow
    score: Score | None
    present: bool


@dataclass(frozen=True, slots=True)
class ProgressGrid:
    """The instructor's progress grid. ``people`` are the admitted participants, ``asking`` those of them who need help,
    the most urgent first. The participants in ``waiting`` are not admitted yet."""

    people: tuple[ParticipantProgress, ...]
    asking: tuple[ParticipantProgress, ...]
    waiting: tuple[Participant, ...]

    @property
    def by_urgency(self) -> tuple[ParticipantProgress, ...]:
        """All admitted participants: first those who need help, then the others in the order of joining."""
        return (*self.asking, *(person for person in self.people if not person.row.needs))


def _records_by_person(people: Iterable[str], workshop: str) -> dict[str, Records]:
    rows = WorkshopProgress.objects.filter(person__in=list(people), workshop=workshop).prefetch_related("steps")
    return {row.person: workshop_store.progress_from_row(row).records for row in rows}


def progress_grid(row: TrainingSession, workshop: Workshop, now: float, present: Collection[str]) -> ProgressGrid:
    """Builds the progress grid of all participants. ``present`` are the ids of those who are connected."""
    everybody = list(row.participants.filter(removed_at=0.0))
    admitted = [participant for participant in everybody if participant.admitted_at]
    stored = _records_by_person((person_of(participant.id) for participant in admitted), row.workshop)
    paces, revealed = pacing(row, workshop), row.revealed()
    known = truths(row, revealed) if row.hosts == HostsFor.NONE and revealed else {}
    people: dict[str, ParticipantProgress] = {}
    for participant in admitted:
        key = participant.id
        records = stored.get(person_of(key), {})
        if row.hosts == HostsFor.NONE:
            records = with_revealed(records, revealed, known)
        progress = progress_row(
            workshop,
            records,
            now,
            hand_raised_at=participant.hand_raised_at,
            until=paces.until,
            free=paces.free,
            closed_at=row.closed_at,
        )
        counting = without_late_predictions(records, revealed)
        score = score_of(workshop.steps, counting, frozenset(revealed)) if row.scores else None
        people[key] = ParticipantProgress(participant, progress, score, key in present)
    asking = by_urgency({key: one.row for key, one in people.items()})
    waiting = tuple(participant for participant in everybody if not participant.admitted_at)
    return ProgressGrid(tuple(people.values()), tuple(people[key] for key in asking), waiting)
