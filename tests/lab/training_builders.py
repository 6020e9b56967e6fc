"""A class in the database, for tests of what goes on in it."""

from __future__ import annotations

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


def workshop(slug: str = "host-network") -> Workshop:
    """A built-in workshop."""
    found = Library(Path("/nonexistent")).get(slug)
    assert found is not None
    return found


def instructor(name: str = "owner") -> int:
    """The id of somebody who may sign in."""
    return int(User.objects.get_or_create(username=name)[0].pk)


def session(owner: str = "owner", **wanted: object) -> TrainingSession:
    """A new session of the host-network workshop."""
    asked = NewSession(**{"title": "Monday", "workshop": "host-network", **wanted})  # type: ignore[arg-type]
    return training_sessions.create(instructor(owner), asked, workshop(), NOW)


def again(row: TrainingSession) -> TrainingSession:
    """The session as it is now."""
    found = training_sessions.get(row.id)
    assert found is not None
    return found


def participant(row: TrainingSession, name: str = "Ada", now: float = NOW) -> tuple[ParticipantRef, str]:
    """Somebody who has joined, and the token."""
    return participants.join(row.id, name, now)
