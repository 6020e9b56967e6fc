"""Wrong join codes and passwords, counted over all web processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from dashboard.core.token_bucket import Rate
from dashboard.core.training.rate_limit import JOINS, PASSWORDS, PER_CLIENT
from dashboard.models import GuessBucket
from dashboard.store.operations import rate_limits as limits

NOW = 1_000_000.0
pytestmark = pytest.mark.django_db(transaction=True)


def test_wrong_join_codes_are_counted_and_expire() -> None:
    for _ in range(int(PER_CLIENT.burst)):
        assert limits.take(limits.wrong_codes("192.0.2.1"), NOW) == 0.0
    assert 0 < limits.take(limits.wrong_codes("192.0.2.1"), NOW) <= 1 / PER_CLIENT.per_s
    assert limits.take(limits.wrong_codes("192.0.2.2"), NOW) == 0.0
    assert limits.take(limits.wrong_codes("192.0.2.1"), NOW + 1 / PER_CLIENT.per_s) == 0.0
    assert limits.take(limits.wrong_codes("192.0.2.1"), NOW + 1 / PER_CLIENT.per_s) > 0.0
    limits.give_back(limits.wrong_codes("192.0.2.1"), NOW + 1 / PER_CLIENT.per_s)
    assert limits.take(limits.wrong_codes("192.0.2.1"), NOW + 1 / PER_CLIENT.per_s) == 0.0


def test_wrong_codes_of_many_clients_are_limited_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OVERALL", Rate(3, 0.25))
    waits = [limits.take(limits.wrong_codes(f"192.0.2.{number}"), NOW) for number in range(5)]
    assert waits == [0.0, 0.0, 0.0, 4.0, 4.0]
    assert limits.take(limits.new_participants("192.0.2.9"), NOW) == 0.0, "links and QR codes still work"


def test_joins_at_the_same_time_cannot_all_pass_the_limit() -> None:
    def take(_number: int) -> float:
        try:
            return limits.take(limits.new_participants("192.0.2.1"), NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(take, range(int(JOINS.burst) + 20)))
    assert waits.count(0.0) == JOINS.burst
    limits.give_back(limits.new_participants("192.0.2.1"), NOW)
    assert limits.take(limits.new_participants("192.0.2.1"), NOW) == 0.0


def test_a_password_counts_before_it_is_checked_and_a_correct_one_does_not() -> None:
    assert limits.take(limits.wrong_passwords("192.0.2.1", "ada"), NOW) == 0.0
    limits.give_back(limits.wrong_passwords("192.0.2.1", "ada"), NOW)
    for _ in range(int(PASSWORDS.burst)):
        assert limits.take(limits.wrong_passwords("192.0.2.1", "ada"), NOW) == 0.0
    assert limits.take(limits.wrong_passwords("192.0.2.1", "eve"), NOW) > 0.0
    assert limits.take(limits.wrong_passwords("192.0.2.2", "ada"), NOW) == 0.0


def test_wrong_tokens_of_machines_do_not_count_as_wrong_join_codes() -> None:
    for _ in range(int(PER_CLIENT.burst)):
        assert limits.take(limits.wrong_tokens("192.0.2.1"), NOW) == 0.0
    assert limits.take(limits.wrong_tokens("192.0.2.1"), NOW) > 0.0
    assert limits.take(limits.wrong_codes("192.0.2.1"), NOW) == 0.0
    limits.give_back(limits.wrong_tokens("192.0.2.1"), NOW)
    assert limits.take(limits.wrong_tokens("192.0.2.1"), NOW) == 0.0


def test_clients_that_have_not_tried_for_a_while_are_forgotten() -> None:
    limits.take(limits.wrong_codes("192.0.2.1"), NOW)
    limits.delete_old(NOW + limits.RETENTION_S)
    assert GuessBucket.objects.exists()
    limits.delete_old(NOW + limits.RETENTION_S + 1)
    assert not GuessBucket.objects.exists()
