"""Counts wrong join codes, machine tokens and passwords, and new participants, in the database: one rate limit for all
web processes (``core.training.rate_limit``)."""

import hashlib
from collections.abc import Callable, Iterable, Mapping

from dashboard.core.token_bucket import Rate, TokenBucket
from dashboard.core.training.rate_limit import (
    ACCOUNT_PASSWORDS,
    JOINS,
    OVERALL,
    PASSWORDS,
    PER_CLIENT,
    charge,
    client_key,
    refund,
)
from dashboard.models import GuessBucket
from dashboard.store.write_lock import writing

ALL_CLIENTS = ""
#: Buckets are full again and deleted after this time.
RETENTION_S = 600.0


def _rates(address: str) -> dict[str, Rate]:
    return {ALL_CLIENTS: OVERALL, client_key(address)[:64]: PER_CLIENT}


def _join_rates(address: str) -> dict[str, Rate]:
    return {f"join {client_key(address)}"[:64]: JOINS}


def _token_rates(address: str) -> dict[str, Rate]:
    return {f"machine {client_key(address)}"[:64]: PER_CLIENT}


def _password_rates(address: str, account: str) -> dict[str, Rate]:
    account_key = hashlib.sha256(account.casefold().encode()).hexdigest()[:40]
    return {f"password {client_key(address)}"[:64]: PASSWORDS, f"account {account_key}": ACCOUNT_PASSWORDS}


def _take(rates: Mapping[str, Rate], now: float) -> float:
    """Takes one token of each bucket and returns 0; if one is empty, takes none and returns the seconds to wait. The
    rows are locked, so that requests at the same time cannot all pass."""
    with writing():
        buckets = _locked(rates, now)
        wait_s = max(bucket.wait_s(1.0, now) for _, bucket in buckets)
        if not wait_s:
            _write(buckets, charge, now)
    return wait_s


def _give_back(rates: Mapping[str, Rate], now: float) -> None:
    with writing():
        _write(_locked(rates, now), refund, now)


def _locked(rates: Mapping[str, Rate], now: float) -> list[tuple[GuessBucket, TokenBucket]]:
    found = []
    for key, rate in rates.items():
        defaults = {"remaining": rate.burst, "at": now}
        row, _ = GuessBucket.objects.select_for_update().get_or_create(key=key, defaults=defaults)
        found.append((row, TokenBucket(rate, row.remaining, row.at)))
    return found


def _write(
    buckets: Iterable[tuple[GuessBucket, TokenBucket]], change: Callable[[TokenBucket, float], None], now: float
) -> None:
    for row, bucket in buckets:
        change(bucket, now)
        row.remaining, row.at = bucket.tokens, bucket.at
        row.save()


def take_guess(address: str, now: float) -> float:
    """Counts a code before it is checked and returns 0; over the limit, returns only the seconds to wait."""
    return _take(_rates(address), now)


def return_guess(address: str, now: float) -> None:
    """Reverts the count of a code that was correct."""
    _give_back(_rates(address), now)


def take_join(address: str, now: float) -> float:
    """Counts a new participant and returns 0; over the limit, returns only the seconds to wait."""
    return _take(_join_rates(address), now)


def return_join(address: str, now: float) -> None:
    """Reverts the count of a participant that did not join."""
    _give_back(_join_rates(address), now)


def take_token(address: str, now: float) -> float:
    """Counts a token of a machine before it is checked and returns 0; over the limit, returns only the seconds to
    wait."""
    return _take(_token_rates(address), now)


def return_token(address: str, now: float) -> None:
    """Reverts the count of a token that was valid."""
    _give_back(_token_rates(address), now)


def take_password(address: str, account: str, now: float) -> float:
    """Counts a password before it is checked and returns 0; over the limit, returns only the seconds to wait."""
    return _take(_password_rates(address, account), now)


def return_password(address: str, account: str, now: float) -> None:
    """Reverts the count of a password that was correct."""
    _give_back(_password_rates(address, account), now)


def delete_old(now: float) -> None:
    """Deletes the buckets of clients without recent attempts."""
    GuessBucket.objects.filter(at__lt=now - RETENTION_S).delete()
