"""A class that met, read from the database as ``core.training.results.facts`` has it, and its report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from dashboard.core.reports.replay.recording import build_track, encode_track
from dashboard.core.training.results.facts import Deed, Looked, PersonFacts, SessionFacts
from dashboard.core.training.results.model import SessionReport
from dashboard.core.training.results.replay import Mirror
from dashboard.core.training.results.report import build_report
from dashboard.core.workshops.model import Workshop
from dashboard.models import (
    Experiment,
    Message,
    Participant,
    TrainingSession,
    WorkshopEvent,
    WorkshopProgress,
)
from dashboard.store import experiments as experiment_store
from dashboard.store import workshops as workshop_store
from dashboard.store.training import participants, session_state

#: A comparison with a longer journal, or a larger track, is left out of a replay.
MOST_JOURNAL = 4000
MOST_TRACK = 6_000_000
MOST_MIRRORS = 20


def _deeds(progress: Iterable[str]) -> dict[str, list[Deed]]:
    found: dict[str, list[Deed]] = defaultdict(list)
    rows = WorkshopEvent.objects.filter(progress__in=list(progress)).order_by("pk")
    for key, at, kind, step, detail in rows.values_list("progress_id", "at", "kind", "step", "detail"):
        found[key].append(Deed(at, kind, step, detail))
    return found


def _messages(session: str) -> tuple[dict[str, list[Deed]], list[Deed]]:
    """What was written by and to each participant, and to all."""
    whose: dict[str, list[Deed]] = defaultdict(list)
    to_all: list[Deed] = []
    for one in Message.objects.filter(session_id=session):
        deed = Deed(one.at, "told" if one.from_instructor else "asked", one.step, one.text)
        (to_all if one.participant_id is None else whose[one.participant_id]).append(deed)
    return whose, to_all


def _people(row: TrainingSession, said: dict[str, list[Deed]]) -> tuple[PersonFacts, ...]:
    """Everybody who was let in, also those who were removed since: what they answered stays."""
    admitted_rows = list(Participant.objects.filter(session=row).exclude(admitted_at=0.0))
    names = {participants.person_of(one.id): one for one in admitted_rows}
    walks = WorkshopProgress.objects.filter(person__in=names, workshop=row.workshop).prefetch_related("steps")
    by_person = {one.person: one for one in walks}
    deeds = _deeds(one.pk for one in by_person.values())
    found = []
    for person, participant in names.items():
        walk = by_person.get(person)
        done = [*(deeds.get(walk.pk, []) if walk else []), *said.get(participant.id, [])]
        found.append(
            PersonFacts(
                id=participant.id,
                name=participant.name,
                group=participant.group,
                joined_at=max(participant.joined_at, participant.admitted_at),
                left_at=participant.removed_at,
                records=workshop_store.walk_from(walk).records if walk else {},
                deeds=tuple(sorted(done, key=lambda one: one.at)),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.joined_at, one.id)))


def load_facts(row: TrainingSession, workshop: Workshop, now: float) -> SessionFacts:
    """Everything that is known of a session; ``now`` is when one looks at one that is still open."""
    said, to_all = _messages(row.id)
    events = [Deed(one.at, one.kind, "", one.detail) for one in row.events.all()]
    revealed = {one.detail: one.at for one in reversed(events) if one.kind == "revealed"}
    looks = {
        step: tuple(Looked(at or revealed.get(step, row.created_at), reading) for at, reading in found)
        for step, found in session_state.readings(row, [one.slug for one in workshop.steps]).items()
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
        events=tuple(sorted((*events, *to_all), key=lambda one: one.at)),
        people=_people(row, said),
        looks=looks,
    )


def report_of(row: TrainingSession, workshop: Workshop, now: float) -> SessionReport:
    """The whole report, for the instructor."""
    return build_report(load_facts(row, workshop, now), workshop)


def mirrors_of(facts: SessionFacts, *, included: bool) -> dict[str, Mirror]:
    """The experiments that were shown to all, as a replay shows them; bounded."""
    shown = list(dict.fromkeys(one.detail for one in facts.events if one.kind == "mirror" and one.detail))
    found: dict[str, Mirror] = {}
    left = MOST_TRACK
    for key in shown:
        row = Experiment.objects.filter(pk=key).only("title").first()
        title = row.title if row is not None else key
        if not included:
            found[key] = Mirror(title, why="It was left out of this file.")
        elif row is None:
            found[key] = Mirror(title, why="The experiment is not there any more.")
        elif experiment_store.last_seq(key) > MOST_JOURNAL or len(found) >= MOST_MIRRORS:
            found[key] = Mirror(title, why="It is too long for this file: save it as a report.")
        else:
            track = encode_track(build_track(one for one in experiment_store.entries(key) if one.at <= facts.ends_at))
            left -= len(track)
            found[key] = (
                Mirror(title, track) if left >= 0 else Mirror(title, why="There was no more room in this file.")
            )
    return found
