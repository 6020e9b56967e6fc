"""A crowd that writes at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from dashboard.models import Participant
from dashboard.store.training import participants
from dashboard.store.write_lock import writing
from tests.lab.training_builders import NOW, session


@pytest.mark.django_db(transaction=True)
def test_a_crowd_joins_at_once_and_everybody_has_a_participant() -> None:
    row = session(max_participants=60)

    def one(number: int) -> str:
        try:
            return participants.join(row.id, f"P{number}", NOW)[0].id
        finally:
            connections.close_all()

    with ThreadPoolExecutor(30) as pool:
        made = list(pool.map(one, range(60)))
    assert len(set(made)) == 60
    assert sorted(Participant.objects.values_list("group", flat=True)) == list(range(1, 61)), "nobody shares a place"


@pytest.mark.django_db
def test_what_fails_is_undone_and_the_turn_is_given_back() -> None:
    row = session()

    def fail() -> None:
        with writing(), writing():
            participants.join(row.id, "Ada", NOW)
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail()
    assert not Participant.objects.exists()
