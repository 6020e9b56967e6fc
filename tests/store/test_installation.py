"""The id and the version of the installation."""

from __future__ import annotations

import pytest

from dashboard.models import Installation
from dashboard.store.installation import installation_id, note_version, stored_version

pytestmark = pytest.mark.django_db


def test_the_id_is_created_once() -> None:
    first = installation_id()
    assert installation_id() == first
    assert [row.pk for row in Installation.objects.all()] == [first]


def test_the_version_that_migrated_the_database_is_stored() -> None:
    assert stored_version() == ""
    note_version("0.2.0")
    assert stored_version() == "0.2.0"
    assert Installation.objects.count() == 1
