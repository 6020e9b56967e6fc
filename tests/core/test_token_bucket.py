"""Token buckets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.token_bucket import Rate, TokenBucket


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 100)), max_size=60))
def test_a_client_that_waits_as_told_stays_below_the_rate(steps: list[tuple[float, float]]) -> None:
    bucket, now, passed = TokenBucket.full(Rate(500, 50)), 100.0, 0.0
    for amount, pause in steps:
        now += pause + bucket.take(amount, now)
        passed += amount
        assert passed <= 500 + 50 * (now - 100.0) + 1e-6


def test_a_clock_that_goes_backwards_adds_nothing() -> None:
    bucket = TokenBucket.full(Rate(10, 1))
    assert bucket.take(10, 100.0) == 0.0
    assert bucket.take(1, 50.0) == 1.0


def test_a_bucket_refills_up_to_its_burst() -> None:
    bucket = TokenBucket(Rate(4, 0.1), 1.5, 100.0)
    bucket.refill(105.0)
    assert (bucket.tokens, bucket.at) == (2.0, 105.0)
    bucket.refill(95.0)
    assert (bucket.tokens, bucket.at) == (2.0, 95.0)
    bucket.refill(1000.0)
    assert bucket.tokens == 4.0


def test_computing_the_wait_takes_no_token() -> None:
    bucket = TokenBucket(Rate(4, 0.5), 0.0, 100.0)
    assert [bucket.wait_s(amount, 100.0) for amount in (0.0, 1.0, 3.0)] == [0.0, 2.0, 6.0]
    assert bucket.tokens == 0.0
