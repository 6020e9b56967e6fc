"""How many wrong guesses are listened to."""

from __future__ import annotations

import pytest

from dashboard.core.training import rate_limit
from dashboard.core.training.rate_limit import OVERALL, PER_ADDRESS, Rate, Throttle, place_of


def guess(door: Throttle, address: str, now: float) -> bool:
    """Whether the guess was listened to; it is wrong."""
    if door.wait_s(address, now) > 0:
        return False
    door.wrong(address, now)
    return True


def test_a_thousand_guesses_from_one_address_are_not_listened_to() -> None:
    door = Throttle()
    heard = sum(guess(door, "192.0.2.1", number * 0.01) for number in range(1000))
    assert PER_ADDRESS.burst <= heard <= PER_ADDRESS.burst + 1
    assert 0 < door.wait_s("192.0.2.1", 9.99) <= PER_ADDRESS.every_s
    assert door.wait_s("192.0.2.2", 9.99) == 0, "the others come in"


def test_a_thousand_addresses_do_not_help() -> None:
    door = Throttle()
    heard = sum(guess(door, f"192.0.{number // 250}.{number % 250}", number * 0.01) for number in range(1000))
    assert OVERALL.burst <= heard <= OVERALL.burst + 6


def test_who_waits_is_listened_to_again() -> None:
    door = Throttle(Rate(2, 10.0), Rate(100, 1.0))
    assert [guess(door, "a", 0.0) for _ in range(3)] == [True, True, False]
    assert not guess(door, "a", 9.9)
    assert guess(door, "a", 10.1)
    assert not guess(door, "a", 5.0), "a clock that goes back gives nothing"
    assert [guess(door, "a", 1000.0) for _ in range(3)] == [True, True, False]


def test_thirty_people_behind_one_address_mistype_once_each_and_come_in() -> None:
    door = Throttle()
    assert all(guess(door, "198.51.100.7", 0.0) for _ in range(30))
    assert door.wait_s("198.51.100.7", 0.0) == 0


def test_what_is_kept_of_addresses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MOST_ADDRESSES", 10)
    door = Throttle(Rate(3, 10.0), Rate(10_000, 0.001))
    for _ in range(3):
        guess(door, "attacker", 0.0)
    for number in range(200):
        guess(door, f"a{number}", 0.0)
    assert len(door._addresses) <= 10
    assert door.wait_s("attacker", 0.0) > 0, "who has guessed most is not forgotten"


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
def test_who_shares_a_bucket(one: str, other: str, same: bool) -> None:
    assert (place_of(one) == place_of(other)) is same


def test_the_wait_ends_when_one_guess_has_come_back() -> None:
    door = Throttle(Rate(2, 10.0), Rate(3, 4.0))
    assert door.wait_s("a", 0.0) == 0.0
    door.wrong("a", 0.0)
    assert door.wait_s("a", 0.0) == 0.0
    door.wrong("a", 0.0)
    assert door.wait_s("a", 0.0) == 10.0
    assert door.wait_s("a", 4.0) == pytest.approx(6.0)
    assert door.wait_s("a", 10.0) == 0.0
    assert door.wait_s("b", 10.0) == 0.0


def test_the_longer_of_both_waits_counts() -> None:
    door = Throttle(Rate(2, 10.0), Rate(3, 4.0))
    for address in ("a", "b", "c"):
        door.wrong(address, 0.0)
    assert door.wait_s("a", 0.0) == 4.0, "overall"
    assert door.wait_s("new", 1.0) == pytest.approx(3.0)
    door.wrong("a", 1.0)
    assert door.wait_s("a", 1.0) == pytest.approx(9.0), "its own bucket has 0.1 left"


def test_a_bucket_does_not_fill_beyond_its_burst_and_a_guess_costs_one() -> None:
    bucket = rate_limit.Bucket(1.5, 100.0)
    bucket.fill(Rate(4, 10.0), 105.0)
    assert (bucket.left, bucket.at) == (2.0, 105.0)
    bucket.fill(Rate(4, 10.0), 95.0)
    assert (bucket.left, bucket.at) == (2.0, 95.0)
    bucket.fill(Rate(4, 10.0), 1000.0)
    assert bucket.left == 4.0


def test_addresses_with_the_most_left_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MOST_ADDRESSES", 4)
    door = Throttle(Rate(3, 10.0), Rate(10_000, 0.001))
    for address, count in (("once", 1), ("thrice", 3), ("twice", 2), ("again", 1)):
        for _ in range(count):
            door.wrong(address, 0.0)
    assert set(door._addresses) == {"once", "thrice", "twice", "again"}
    door.wrong("fifth", 0.0)
    assert set(door._addresses) == {"thrice", "twice"}
    for address in ("x", "y"):
        door.wrong(address, 100.0)
    door.wrong("z", 100.0)
    assert set(door._addresses) == {"x", "y"}, "those that have waited long enough are forgotten"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1::5", "20010db800000001"),
        ("x" * 70, "x" * 60),
    ],
)
def test_a_bucket_is_named_by_the_address_or_its_network(address: str, place: str) -> None:
    assert place_of(address) == place
