"""Wrong join codes and passwords, counted over all web processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection, connections
from django.test.utils import CaptureQueriesContext

from dashboard.core.token_bucket import Rate
from dashboard.core.training import rate_limit
from dashboard.core.training.rate_limit import ACCOUNT_PASSWORDS, JOINS, PASSWORDS, PER_CLIENT
from dashboard.models import GuessBucket
from dashboard.store.operations import rate_limits as limits
from dashboard.store.write_lock import writing

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


def use_up_passwords(address: str) -> None:
    for _ in range(int(PASSWORDS.burst)):
        assert limits.take(limits.wrong_passwords(address, "ada"), NOW) == 0.0


def test_a_refused_attempt_stores_nothing_and_needs_no_transaction() -> None:
    use_up_passwords("192.0.2.1")
    stored = set(GuessBucket.objects.values_list("key", "remaining", "at"))
    with CaptureQueriesContext(connection) as queries:
        assert limits.take(limits.wrong_passwords("192.0.2.1", "a new name"), NOW + 1) > 0.0
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]
    assert set(GuessBucket.objects.values_list("key", "remaining", "at")) == stored


def test_an_attempt_that_is_refused_because_of_one_at_the_same_time_stores_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def waiting() -> Iterator[None]:
        """Lets another request take the last attempt while this one waits for its turn."""
        monkeypatch.setattr(limits, "writing", writing)
        use_up_passwords("192.0.2.1")
        with writing():
            yield

    monkeypatch.setattr(limits, "writing", waiting)
    assert limits.take(limits.wrong_passwords("192.0.2.1", "a new name"), NOW) > 0.0
    assert GuessBucket.objects.count() == 2


def test_a_correct_attempt_passes_although_the_database_cannot_revert_its_count(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    @contextmanager
    def locked() -> Iterator[None]:
        raise OperationalError("database is locked")
        yield

    assert limits.take(limits.wrong_passwords("192.0.2.1", "ada"), NOW) == 0.0
    monkeypatch.setattr(limits, "writing", locked)
    limits.give_back(limits.wrong_passwords("192.0.2.1", "ada"), NOW)
    assert "stays counted in its rate limit: database is locked" in caplog.text


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


def test_no_bucket_is_deleted_before_it_is_full_again() -> None:
    rates = [rate for rate in vars(rate_limit).values() if isinstance(rate, Rate)]
    assert len(rates) > 4
    assert all(limits.RETENTION_S * rate.per_s >= rate.burst for rate in rates)
    for client in range(int(ACCOUNT_PASSWORDS.burst)):
        assert limits.take(limits.wrong_passwords(f"192.0.2.{client}", "ada"), NOW) == 0.0
    limits.delete_old(NOW + 601)
    waits = [limits.take(limits.wrong_passwords(f"198.51.100.{client}", "ada"), NOW + 601) for client in range(20)]
    assert waits.count(0.0) == 10, "one attempt a minute"


def test_the_number_of_buckets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BUCKETS", 3)
    for number in range(5):
        limits.take(limits.new_participants(f"192.0.2.{number}"), NOW + number)
    limits.delete_old(NOW + 5)
    assert set(GuessBucket.objects.values_list("key", flat=True)) == {f"join 192.0.2.{number}" for number in (2, 3, 4)}
    limits.delete_old(NOW + 5)
    assert GuessBucket.objects.count() == 3
