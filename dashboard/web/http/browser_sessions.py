"""Django's sessions in the database, written in turn: a class of hundreds gets its cookies at once."""

from __future__ import annotations

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from dashboard.store.write_lock import writing


class SessionStore(DatabaseStore):
    """The same, one writer at a time."""

    def save(self, must_create: bool = False) -> None:
        """As Django does."""
        with writing():
            super().save(must_create)
