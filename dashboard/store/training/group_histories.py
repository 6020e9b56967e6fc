"""Reads what the participants of a group have done in the workshop of their session."""

from dashboard.core.training.session import number_of_group, session_of_group
from dashboard.core.workshops.repetition import History
from dashboard.models import Participant, TrainingSession
from dashboard.store import workshops as workshop_store
from dashboard.store.training.participants import person_of


def load(group: str) -> tuple[str, str, tuple[History, ...]]:
    """Returns the slug and the digest of the workshop that the group's session uses, and the history of each current
    participant of the group who has started the workshop."""
    session = session_of_group(group)
    slug, digest = TrainingSession.objects.values_list("workshop", "digest").get(pk=session)
    members = Participant.objects.filter(session=session, group=number_of_group(group), removed_at=0.0)
    histories = []
    for participant in members.values_list("id", flat=True):
        person = person_of(participant)
        progress = workshop_store.load_progress(person, slug)
        if progress is not None:
            histories.append(History(progress.records, workshop_store.load_events(person, slug)))
    return slug, digest, tuple(histories)
