"""Rate limits for wrong join codes, wrong join tokens of machines, wrong passwords, and new participants.

They are stored in the database, so that all web processes share them and a restart does not reset them. Each limit is a
token bucket, stored in a row with a key. ``core.training.rate_limit`` has the rates.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping

from django.db import DatabaseError, transaction

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

log = logging.getLogger(__name__)
ALL_CLIENTS = ""
#: After this time without attempts each bucket is full again, and deleted.
RETENTION_S = max(rate.burst / rate.per_s for rate in (PER_CLIENT, OVERALL, JOINS, PASSWORDS, ACCOUNT_PASSWORDS))
#: The maximum number of buckets that ``delete_old`` leaves.
MAX_BUCKETS = 50_000


def wrong_codes(address: str) -> dict[str, Rate]:
    """The limits of wrong join codes by bucket key: one for all clients together, and one for the client at
    ``address``."""
    return {ALL_CLIENTS: OVERALL, client_key(address)[:64]: PER_CLIENT}


def new_participants(address: str) -> dict[str, Rate]:
    """The rate limit of new participants who join from the client at ``address``, by bucket key."""
    return {f"join {client_key(address)}"[:64]: JOINS}


def wrong_tokens(address: str) -> dict[str, Rate]:
    """The limit of wrong join tokens of machines from the client at ``address``, by bucket key."""
    return {f"machine {client_key(address)}"[:64]: PER_CLIENT}


def wrong_passwords(address: str, account: str) -> dict[str, Rate]:
    """The limits of wrong passwords by bucket key: one for the client at ``address``, and one for ``account``."""
    account_key = hashlib.sha256(account.casefold().encode()).hexdigest()[:40]
    return {f"password {client_key(address)}"[:64]: PASSWORDS, f"account {account_key}": ACCOUNT_PASSWORDS}


def take(limits: Mapping[str, Rate], now: float) -> float:
    """Counts an attempt in all of ``limits`` and returns 0. If one of the limits is reached, counts nothing and returns
    the seconds to wait. ``limits`` is the result of one of the functions above. Call this before the attempt is
    checked, so that concurrent requests cannot exceed a limit together."""
    if wait_s := _wait_s(GuessBucket.objects.filter(key__in=limits), limits, now):
        return wait_s  # without a transaction, so that refused attempts do not delay other writers
    with writing():
        rows = _locked(limits, now)
        if wait_s := _wait_s(rows, limits, now):
            transaction.set_rollback(True)  # refused: do not store the buckets that were just created
        else:
            _change(rows, limits, charge, now)
    return wait_s


def give_back(limits: Mapping[str, Rate], now: float) -> None:
    """Reverses ``take`` for an attempt that should not count. Either the code, token or password was correct, or a
    request to join was refused for another reason. ``limits`` are those that were passed to ``take``. If the database
    fails, this is logged, and the attempt stays counted."""
    try:
        with writing():
            _change(_locked(limits, now), limits, refund, now)
    except DatabaseError as error:
        log.warning("an attempt stays counted in its rate limit: %s", error)


def _locked(limits: Mapping[str, Rate], now: float) -> list[GuessBucket]:
    rows = GuessBucket.objects.select_for_update()
    return [
        rows.get_or_create(key=key, defaults={"remaining": rate.burst, "at": now})[0] for key, rate in limits.items()
    ]


def _bucket(row: GuessBucket, limits: Mapping[str, Rate]) -> TokenBucket:
    return TokenBucket(limits[row.key], row.remaining, row.at)


def _wait_s(rows: Iterable[GuessBucket], limits: Mapping[str, Rate], now: float) -> float:
    return max((_bucket(row, limits).wait_s(1.0, now) for row in rows), default=0.0)


def _change(
    rows: Iterable[GuessBucket], limits: Mapping[str, Rate], change: Callable[[TokenBucket, float], None], now: float
) -> None:
    for row in rows:
        bucket = _bucket(row, limits)
        change(bucket, now)
        row.remaining, row.at = bucket.tokens, bucket.at
        row.save()


def delete_old(now: float) -> None:
    """Deletes the buckets that have had no attempt for ``RETENTION_S``. If more than ``MAX_BUCKETS`` remain, also
    deletes those with the oldest attempts."""
    with writing():
        GuessBucket.objects.filter(at__lt=now - RETENTION_S).delete()
        oldest = GuessBucket.objects.order_by("-at").values_list("at", flat=True)[MAX_BUCKETS : MAX_BUCKETS + 1]
        for at in oldest:
            GuessBucket.objects.filter(at__lte=at).delete()
