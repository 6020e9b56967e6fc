"""Django's database sessions, saved one at a time, so that hundreds of participants can join at once."""

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from dashboard.store.write_lock import writing


class SessionStore(DatabaseStore):
    """Django's session store, with the write lock of ``store.write_lock``."""

    def save(self, must_create: bool = False) -> None:
        """Saves the session in a ``writing()`` block."""
        with writing():
            super().save(must_create)
