"""Wrong join codes and passwords, counted over all web processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from dashboard.core.training.rate_limit import JOINS, PASSWORDS, PER_CLIENT
from dashboard.models import GuessBucket
from dashboard.store.training import join_code_attempts

NOW = 1_000_000.0
pytestmark = pytest.mark.django_db(transaction=True)


def test_wrong_join_codes_are_counted_and_expire() -> None:
    for _ in range(int(PER_CLIENT.burst)):
        assert join_code_attempts.take_guess("192.0.2.1", NOW) == 0.0
    assert 0 < join_code_attempts.take_guess("192.0.2.1", NOW) <= 1 / PER_CLIENT.per_s
    assert join_code_attempts.take_guess("192.0.2.2", NOW) == 0.0
    assert join_code_attempts.take_guess("192.0.2.1", NOW + 1 / PER_CLIENT.per_s) == 0.0
    assert join_code_attempts.take_guess("192.0.2.1", NOW + 1 / PER_CLIENT.per_s) > 0.0
    join_code_attempts.return_guess("192.0.2.1", NOW + 1 / PER_CLIENT.per_s)
    assert join_code_attempts.take_guess("192.0.2.1", NOW + 1 / PER_CLIENT.per_s) == 0.0


def test_joins_at_the_same_time_cannot_all_pass_the_limit() -> None:
    def take(_number: int) -> float:
        try:
            return join_code_attempts.take_join("192.0.2.1", NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(take, range(int(JOINS.burst) + 20)))
    assert waits.count(0.0) == JOINS.burst
    join_code_attempts.return_join("192.0.2.1", NOW)
    assert join_code_attempts.take_join("192.0.2.1", NOW) == 0.0


def test_a_password_counts_before_it_is_checked_and_a_correct_one_does_not() -> None:
    assert join_code_attempts.take_password("192.0.2.1", "ada", NOW) == 0.0
    join_code_attempts.return_password("192.0.2.1", "ada", NOW)
    for _ in range(int(PASSWORDS.burst)):
        assert join_code_attempts.take_password("192.0.2.1", "ada", NOW) == 0.0
    assert join_code_attempts.take_password("192.0.2.1", "eve", NOW) > 0.0
    assert join_code_attempts.take_password("192.0.2.2", "ada", NOW) == 0.0


def test_wrong_tokens_of_machines_do_not_count_as_wrong_join_codes() -> None:
    for _ in range(int(PER_CLIENT.burst)):
        assert join_code_attempts.take_token("192.0.2.1", NOW) == 0.0
    assert join_code_attempts.take_token("192.0.2.1", NOW) > 0.0
    assert join_code_attempts.take_guess("192.0.2.1", NOW) == 0.0
    join_code_attempts.return_token("192.0.2.1", NOW)
    assert join_code_attempts.take_token("192.0.2.1", NOW) == 0.0


def test_clients_that_have_not_tried_for_a_while_are_forgotten() -> None:
    join_code_attempts.take_guess("192.0.2.1", NOW)
    join_code_attempts.delete_old(NOW + join_code_attempts.RETENTION_S)
    assert GuessBucket.objects.exists()
    join_code_attempts.delete_old(NOW + join_code_attempts.RETENTION_S + 1)
    assert not GuessBucket.objects.exists()
