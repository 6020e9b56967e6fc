"""Rate limits in the database: of wrong join codes, tokens of machines and passwords, and of new participants. All web
processes share them, and a restart does not reset them (``core.training.rate_limit``)."""

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


def wrong_codes(address: str) -> dict[str, Rate]:
    """The limits of wrong join codes: over all clients, and of this one."""
    return {ALL_CLIENTS: OVERALL, client_key(address)[:64]: PER_CLIENT}


def new_participants(address: str) -> dict[str, Rate]:
    """The limit of participants that join."""
    return {f"join {client_key(address)}"[:64]: JOINS}


def wrong_tokens(address: str) -> dict[str, Rate]:
    """The limit of wrong tokens of machines."""
    return {f"machine {client_key(address)}"[:64]: PER_CLIENT}


def wrong_passwords(address: str, account: str) -> dict[str, Rate]:
    """The limits of wrong passwords: of this client, and for this account."""
    account_key = hashlib.sha256(account.casefold().encode()).hexdigest()[:40]
    return {f"password {client_key(address)}"[:64]: PASSWORDS, f"account {account_key}": ACCOUNT_PASSWORDS}


def take(limits: Mapping[str, Rate], now: float) -> float:
    """Counts an attempt before it is made, and returns 0; over one of the limits, counts nothing and returns the
    seconds to wait. The rows are locked, so that requests at the same time cannot all pass."""
    with writing():
        buckets = _locked(limits, now)
        wait_s = max(bucket.wait_s(1.0, now) for _, bucket in buckets)
        if not wait_s:
            _write(buckets, charge, now)
    return wait_s


def give_back(limits: Mapping[str, Rate], now: float) -> None:
    """Reverts the count of an attempt that was correct, or that stored nothing."""
    with writing():
        _write(_locked(limits, now), refund, now)


def _locked(limits: Mapping[str, Rate], now: float) -> list[tuple[GuessBucket, TokenBucket]]:
    found = []
    for key, rate in limits.items():
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


def delete_old(now: float) -> None:
    """Deletes the buckets of clients without recent attempts."""
    GuessBucket.objects.filter(at__lt=now - RETENTION_S).delete()
