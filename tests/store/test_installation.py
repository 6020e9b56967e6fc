"""The id of the installation."""

from __future__ import annotations

import pytest

from dashboard.models import Installation
from dashboard.store.installation import installation_id

pytestmark = pytest.mark.django_db


def test_the_id_is_created_once() -> None:
    first = installation_id()
    assert installation_id() == first
    assert [row.pk for row in Installation.objects.all()] == [first]
