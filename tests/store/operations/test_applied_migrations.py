"""The migrations of this version, and those that the database has."""

from __future__ import annotations

import pytest

from dashboard.store.operations.applied_migrations import applied_migrations, known_migrations


@pytest.mark.django_db
def test_a_migrated_database_has_every_migration_of_this_version() -> None:
    assert set(applied_migrations()) == known_migrations()
    assert "dashboard.0001_initial" in known_migrations()
