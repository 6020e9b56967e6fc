"""The rate limit of wrong join codes."""

from __future__ import annotations

import pytest

from dashboard.core.token_bucket import Rate, TokenBucket
from dashboard.core.training import rate_limit
from dashboard.core.training.rate_limit import JOINS, OVERALL, PER_CLIENT, JoinRateLimit, client_key


def guess(limit: JoinRateLimit, address: str, now: float) -> bool:
    """Tries a wrong code; returns whether it was checked."""
    if limit.wait_s(address, now) > 0:
        return False
    limit.record_failure(address, now)
    return True


def test_a_thousand_guesses_from_one_address_are_limited() -> None:
    limit = JoinRateLimit()
    checked = sum(guess(limit, "192.0.2.1", number * 0.01) for number in range(1000))
    assert PER_CLIENT.burst <= checked <= PER_CLIENT.burst + 1
    assert 0 < limit.wait_s("192.0.2.1", 9.99) <= 1 / PER_CLIENT.per_s
    assert limit.wait_s("192.0.2.2", 9.99) == 0, "other clients are not limited"


def test_a_thousand_addresses_are_limited_together() -> None:
    limit = JoinRateLimit()
    checked = sum(guess(limit, f"192.0.{number // 250}.{number % 250}", number * 0.01) for number in range(1000))
    assert OVERALL.burst <= checked <= OVERALL.burst + 6


def test_a_client_that_waits_may_try_again() -> None:
    limit = JoinRateLimit(Rate(2, 0.1), Rate(100, 1.0))
    assert [guess(limit, "a", 0.0) for _ in range(3)] == [True, True, False]
    assert not guess(limit, "a", 9.9)
    assert guess(limit, "a", 10.1)
    assert not guess(limit, "a", 5.0), "a clock that goes backwards adds nothing"
    assert [guess(limit, "a", 1000.0) for _ in range(3)] == [True, True, False]


def test_thirty_participants_behind_one_address_may_mistype_once_each() -> None:
    limit = JoinRateLimit()
    assert all(guess(limit, "198.51.100.7", 0.0) for _ in range(30))
    assert limit.wait_s("198.51.100.7", 0.0) == 0


def test_the_number_of_stored_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_CLIENTS", 10)
    limit = JoinRateLimit(Rate(3, 0.1), Rate(10_000, 1000.0))
    for _ in range(3):
        guess(limit, "attacker", 0.0)
    for number in range(200):
        guess(limit, f"a{number}", 0.0)
    assert len(limit._wrong._clients) <= 10
    assert limit.wait_s("attacker", 0.0) > 0, "the client with the most guesses is kept"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("unix", "", False),
    ],
)
def test_which_addresses_share_a_bucket(one: str, other: str, same: bool) -> None:
    assert (client_key(one) == client_key(other)) is same


def test_the_wait_ends_when_one_token_is_available() -> None:
    limit = JoinRateLimit(Rate(2, 0.1), Rate(3, 0.25))
    assert limit.wait_s("a", 0.0) == 0.0
    limit.record_failure("a", 0.0)
    assert limit.wait_s("a", 0.0) == 0.0
    limit.record_failure("a", 0.0)
    assert limit.wait_s("a", 0.0) == 10.0
    assert limit.wait_s("a", 4.0) == pytest.approx(6.0)
    assert limit.wait_s("a", 10.0) == 0.0
    assert limit.wait_s("b", 10.0) == 0.0


def test_the_longer_of_both_waits_counts() -> None:
    limit = JoinRateLimit(Rate(2, 0.1), Rate(3, 0.25))
    for address in ("a", "b", "c"):
        limit.record_failure(address, 0.0)
    assert limit.wait_s("a", 0.0) == 4.0, "overall"
    assert limit.wait_s("new", 1.0) == pytest.approx(3.0)
    limit.record_failure("a", 1.0)
    assert limit.wait_s("a", 1.0) == pytest.approx(9.0), "its own bucket has 0.1 tokens"


def test_a_wrong_code_costs_one_token_but_never_more_than_there_are() -> None:
    bucket = TokenBucket(Rate(4, 0.1), 1.5, 100.0)
    rate_limit.charge(bucket, 100.0)
    assert bucket.tokens == 0.5
    rate_limit.charge(bucket, 100.0)
    assert bucket.tokens == 0.0


def test_clients_with_the_most_tokens_are_dropped_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_CLIENTS", 4)
    limit = JoinRateLimit(Rate(3, 0.1), Rate(10_000, 1000.0))
    for address, count in (("once", 1), ("thrice", 3), ("twice", 2), ("again", 1)):
        for _ in range(count):
            limit.record_failure(address, 0.0)
    assert set(limit._wrong._clients) == {"once", "thrice", "twice", "again"}
    limit.record_failure("fifth", 0.0)
    assert set(limit._wrong._clients) == {"thrice", "twice"}
    for address in ("x", "y"):
        limit.record_failure(address, 100.0)
    limit.record_failure("z", 100.0)
    assert set(limit._wrong._clients) == {"x", "y"}, "full buckets are dropped"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1::5", "20010db800000001"),
        ("x" * 70, "x" * 60),
    ],
)
def test_a_bucket_is_named_by_the_address_or_its_network(address: str, key: str) -> None:
    assert client_key(address) == key


def join(limit: JoinRateLimit, address: str, now: float) -> bool:
    """One more participant joins from this address; returns whether it may."""
    return limit.take_join(address, now) == 0


def test_a_class_behind_one_address_joins_at_once_and_a_flood_does_not() -> None:
    limit = JoinRateLimit()
    assert all(join(limit, "192.0.2.1", number / 3) for number in range(30))
    flood = JoinRateLimit()
    assert sum(join(flood, "192.0.2.1", number / 10) for number in range(600)) <= JOINS.burst + 40
    assert 0 < flood.take_join("192.0.2.1", 59.9) <= 1.5
    assert join(flood, "192.0.2.2", 60.0), "other addresses are not limited"
    assert flood.wait_s("192.0.2.1", 60.0) == 0, "it may still try a code"


def test_a_reserved_join_or_guess_can_be_returned() -> None:
    limit = JoinRateLimit(Rate(2, 0.1), Rate(3, 0.25), Rate(1, 0.1))
    assert [limit.take_guess("a", 0.0) for _ in range(3)] == [0.0, 0.0, 10.0]
    limit.return_guess("a", 0.0)
    assert limit.take_guess("a", 0.0) == 0.0
    assert [limit.take_join("a", 0.0), limit.take_join("a", 0.0)] == [0.0, 10.0]
    limit.return_join("a", 0.0)
    limit.return_join("a", 0.0)
    assert [limit.take_join("a", 0.0), limit.take_join("a", 0.0)] == [0.0, 10.0], "never more than the burst"
    limit.return_join("b", 0.0)
    limit.return_guess("b", 0.0)
