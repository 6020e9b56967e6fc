"""Many concurrent writers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from dashboard.models import Participant
from dashboard.store.training import participants
from dashboard.store.write_lock import writing
from tests.lab.training_builders import NOW, session


@pytest.mark.django_db(transaction=True)
def test_all_concurrent_joins_succeed() -> None:
    row = session(max_participants=60)

    def one(number: int) -> str:
        try:
            return participants.join(row.id, f"P{number}", NOW)[0].id
        finally:
            connections.close_all()

    with ThreadPoolExecutor(30) as pool:
        made = list(pool.map(one, range(60)))
    assert len(set(made)) == 60
    assert sorted(Participant.objects.values_list("group", flat=True)) == list(range(1, 61)), (
        "each participant has a group"
    )


@pytest.mark.django_db
def test_a_failed_transaction_is_rolled_back_and_releases_the_lock() -> None:
    row = session()

    def fail() -> None:
        with writing(), writing():
            participants.join(row.id, "Ada", NOW)
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail()
    assert not Participant.objects.exists()
