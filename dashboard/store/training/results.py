"""Reads everything that is recorded about a training session, and builds its report."""

from collections import defaultdict
from collections.abc import Iterable

from dashboard.core.reports.replay.recording import build_recording, encode_recording
from dashboard.core.training.results.facts import ParticipantFacts, Reading, SessionFacts
from dashboard.core.training.results.model import SessionReport
from dashboard.core.training.results.replay import MirroredExperiment
from dashboard.core.training.results.report import build_report
from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import Event
from dashboard.models import Message, Participant, TrainingSession, WorkshopEvent, WorkshopProgress
from dashboard.store import experiments as experiment_store
from dashboard.store import parts
from dashboard.store import workshops as workshop_store
from dashboard.store.training import session_state
from dashboard.store.training.participants import person_of

#: Limits of a replay: journal entries of one experiment, the size of all tracks together, and the number of
#: experiments.
MAX_JOURNAL = 4000
MAX_TRACKS_BYTES = 6_000_000
MAX_MIRRORS = 20


def _events_by_progress(progress: Iterable[str]) -> dict[str, list[Event]]:
    by_progress: dict[str, list[Event]] = defaultdict(list)
    rows = WorkshopEvent.objects.filter(progress__in=list(progress)).order_by("pk")
    for key, at, kind, step, detail in rows.values_list("progress_id", "at", "kind", "step", "detail"):
        by_progress[key].append(Event(at, kind, step, detail))
    return by_progress


def _messages(session: str) -> tuple[dict[str, list[Event]], list[Event]]:
    by_participant: dict[str, list[Event]] = defaultdict(list)
    to_all: list[Event] = []
    for row in Message.objects.filter(session_id=session):
        event = Event(row.at, "told" if row.from_instructor else "asked", row.step, row.text)
        (to_all if row.participant_id is None else by_participant[row.participant_id]).append(event)
    return by_participant, to_all


def _participants(row: TrainingSession, messages: dict[str, list[Event]]) -> tuple[ParticipantFacts, ...]:
    """The facts about all admitted participants. Those who were removed later are included, because their answers
    count. ``messages`` maps the id of a participant to events for the participant's questions and the instructor's
    messages."""
    by_person = {
        person_of(participant.id): participant
        for participant in Participant.objects.filter(session=row).exclude(admitted_at=0.0)
    }
    walks = {
        walk.person: walk
        for walk in WorkshopProgress.objects.filter(person__in=by_person, workshop=row.workshop).prefetch_related(
            "steps"
        )
    }
    events = _events_by_progress(walk.pk for walk in walks.values())
    facts = []
    for person, participant in by_person.items():
        walk = walks.get(person)
        own = [*(events.get(walk.pk, []) if walk else []), *messages.get(participant.id, [])]
        facts.append(
            ParticipantFacts(
                id=participant.id,
                name=participant.name,
                group=participant.group,
                joined_at=max(participant.joined_at, participant.admitted_at),
                left_at=participant.removed_at,
                records=workshop_store.progress_from_row(walk).records if walk else {},
                events=tuple(sorted(own, key=lambda event: event.at)),
            )
        )
    return tuple(sorted(facts, key=lambda one: (one.joined_at, one.id)))


def load_facts(row: TrainingSession, workshop: Workshop, now: float) -> SessionFacts:
    """Reads everything that is recorded about a session. ``now`` counts as the end of a session that is still open."""
    messages, to_all = _messages(row.id)
    events = [Event(one.at, one.kind, "", one.detail) for one in row.events.all()]
    revealed_at = row.revealed()
    readings = {
        step: tuple(Reading(at or revealed_at.get(step, row.created_at), reading) for at, reading in read)
        for step, read in session_state.readings(row, [step.slug for step in workshop.steps]).items()
    }
    return SessionFacts(
        id=row.id,
        title=row.title,
        workshop=row.workshop,
        created_at=row.created_at,
        closed_at=row.closed_at,
        until=now,
        pace=row.pace,
        hosts=row.hosts,
        team_size=row.team_size,
        events=tuple(sorted((*events, *to_all), key=lambda event: event.at)),
        participants=_participants(row, messages),
        readings=readings,
    )


def report_of(row: TrainingSession, workshop: Workshop, now: float) -> SessionReport:
    """Builds the report of a session, with the names of participants, for the instructor."""
    return build_report(load_facts(row, workshop, now), workshop)


def mirrors_of(facts: SessionFacts, *, included: bool) -> dict[str, MirroredExperiment]:
    """The experiments that were shown to all participants, by id. If ``included`` is true, they contain recordings for
    the replay. An experiment without a recording contains the reason instead, for example that it is too long."""
    mirrored = dict.fromkeys(event.detail for event in facts.events if event.kind == "mirror" and event.detail)
    mirrors: dict[str, MirroredExperiment] = {}
    free_bytes = MAX_TRACKS_BYTES
    for key in mirrored:
        record = experiment_store.load(key)
        track, reason = b"", ""
        if not included:
            reason = "The comparison was left out of this file."
        elif record is None:
            reason = "The experiment was deleted."
        elif parts.count_entries(record) > MAX_JOURNAL or len(mirrors) >= MAX_MIRRORS:
            reason = "The comparison is too long for this file. Save it as a report."
        else:
            entries = parts.read(record)
            track = encode_recording(build_recording(entry for entry in entries if entry.at <= facts.ends_at))
            if len(track) > free_bytes:
                track, reason = b"", "The comparison does not fit into this file."
            free_bytes -= len(track)
        mirrors[key] = MirroredExperiment(record.title if record is not None else key, track, reason)
    return mirrors
