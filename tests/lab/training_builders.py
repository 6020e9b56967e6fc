"""Sessions and participants in the database."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.contrib.auth.models import User

from dashboard.core.training.form import NewSession
from dashboard.core.workshops.model import Workshop
from dashboard.lab.workshops.files import Library
from dashboard.models import TrainingSession
from dashboard.store.training import participants
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.participants import ParticipantRef

NOW = 1000.0


@cache
def workshop(slug: str = "host-network") -> Workshop:
    """A built-in workshop. Reading all of them takes a tenth of a second."""
    found = Library(Path("/nonexistent")).get(slug)
    assert found is not None
    return found


def instructor(name: str = "owner") -> int:
    """The id of a user."""
    return int(User.objects.get_or_create(username=name)[0].pk)


def session(owner: str = "owner", **settings: object) -> TrainingSession:
    """A new session of the host-network workshop."""
    chosen = NewSession(**{"title": "Monday", "workshop": "host-network", **settings})  # type: ignore[arg-type]
    return training_sessions.create(instructor(owner), chosen, workshop(), NOW)


def again(row: TrainingSession) -> TrainingSession:
    """The session as stored now."""
    found = training_sessions.get(row.id)
    assert found is not None
    return found


def participant(row: TrainingSession, name: str = "Ada", now: float = NOW) -> tuple[ParticipantRef, str]:
    """A new participant and its token."""
    return participants.join(row.id, name, now)
