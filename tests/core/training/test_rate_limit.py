"""The buckets of the rate limits, and the keys of clients."""

from __future__ import annotations

import pytest

from dashboard.core.token_bucket import Rate, TokenBucket
from dashboard.core.training.rate_limit import charge, client_key, refund


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
def test_addresses_of_one_ipv6_network_share_a_bucket(one: str, other: str, same: bool) -> None:
    assert (client_key(one) == client_key(other)) is same


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


def test_a_wrong_code_costs_one_token_but_never_more_than_there_are() -> None:
    bucket = TokenBucket(Rate(4, 0.1), 1.5, 100.0)
    charge(bucket, 100.0)
    assert bucket.tokens == 0.5
    charge(bucket, 100.0)
    assert bucket.tokens == 0.0


def test_a_token_that_is_put_back_does_not_exceed_the_burst() -> None:
    bucket = TokenBucket(Rate(4, 0.1), 2.5, 100.0)
    refund(bucket, 100.0)
    assert bucket.tokens == 3.5
    refund(bucket, 100.0)
    assert bucket.tokens == 4.0
