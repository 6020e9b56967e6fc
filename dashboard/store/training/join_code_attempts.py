"""Wrong join codes and new participants in the database: one rate limit for all web processes
(``core.training.rate_limit``)."""

from collections.abc import Mapping

from django.db import transaction

from dashboard.core.token_bucket import Rate, TokenBucket
from dashboard.core.training.rate_limit import JOINS, OVERALL, PER_CLIENT, charge, client_key
from dashboard.models import GuessBucket

ALL_CLIENTS = ""


def _rates(address: str) -> dict[str, Rate]:
    return {ALL_CLIENTS: OVERALL, client_key(address)[:64]: PER_CLIENT}


def _join_rates(address: str) -> dict[str, Rate]:
    return {f"join {client_key(address)}"[:64]: JOINS}


def _wait_s(rates: Mapping[str, Rate], now: float) -> float:
    rows = GuessBucket.objects.filter(key__in=list(rates))
    waits = (TokenBucket(rates[row.key], row.remaining, row.at).wait_s(1.0, now) for row in rows)
    return max(waits, default=0.0)


def _charge(rates: Mapping[str, Rate], now: float) -> None:
    with transaction.atomic():
        for key, rate in rates.items():
            defaults = {"remaining": rate.burst, "at": now}
            row, _ = GuessBucket.objects.select_for_update().get_or_create(key=key, defaults=defaults)
            bucket = TokenBucket(rate, row.remaining, row.at)
            charge(bucket, now)
            row.remaining, row.at = bucket.tokens, bucket.at
            row.save()


def wait_s(address: str, now: float) -> float:
    """Seconds until this address may try a code again; 0 if it may now."""
    return _wait_s(_rates(address), now)


def record_failure(address: str, now: float) -> None:
    """Counts a wrong code."""
    _charge(_rates(address), now)


def join_wait_s(address: str, now: float) -> float:
    """Seconds until one more participant may join from this address; 0 if one may now."""
    return _wait_s(_join_rates(address), now)


def record_join(address: str, now: float) -> None:
    """Counts a new participant."""
    _charge(_join_rates(address), now)
