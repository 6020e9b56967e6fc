"""Django's database sessions, written one at a time, so that hundreds of participants can join at once."""

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from dashboard.store.write_lock import writing


class SessionStore(DatabaseStore):
    """Django's session store with a write lock."""

    def save(self, must_create: bool = False) -> None:
        """Saves the session in ``writing()``."""
        with writing():
            super().save(must_create)
