"""Django's database sessions, saved one at a time on SQLite.

Otherwise, when hundreds of participants join at once, some writes would time out while waiting for SQLite's lock.
"""

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from dashboard.store.write_lock import writing


class SessionStore(DatabaseStore):
    """Django's database session store, which holds the lock of ``store.write_lock`` while it saves."""

    def save(self, must_create: bool = False) -> None:
        """Saves the session within ``writing()``. Raises CreateError if ``must_create`` is true and the key is
        taken."""
        with writing():
            super().save(must_create)
