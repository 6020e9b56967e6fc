"""Wrong guesses of join codes, counted for all web processes together (``core.training.rate_limit``)."""

from __future__ import annotations

from django.db import transaction

from dashboard.core.training.rate_limit import OVERALL, PER_ADDRESS, Bucket, Rate, place_of
from dashboard.models import GuessBucket

EVERYBODY = ""


def _rates(address: str) -> dict[str, Rate]:
    return {EVERYBODY: OVERALL, place_of(address)[:64]: PER_ADDRESS}


def wait_s(address: str, now: float) -> float:
    """How long this address must wait until a code is looked at; 0: it is looked at now."""
    rates, waits = _rates(address), [0.0]
    for row in GuessBucket.objects.filter(key__in=list(rates)):
        bucket, rate = Bucket(row.remaining, row.at), rates[row.key]
        bucket.fill(rate, now)
        waits.append((1.0 - bucket.left) * rate.every_s if bucket.left < 1.0 else 0.0)
    return max(waits)


def wrong(address: str, now: float) -> None:
    """A code that was looked at was wrong."""
    with transaction.atomic():
        for key, rate in _rates(address).items():
            fresh = {"remaining": float(rate.burst), "at": now}
            row, _ = GuessBucket.objects.select_for_update().get_or_create(key=key, defaults=fresh)
            bucket = Bucket(row.remaining, row.at)
            bucket.fill(rate, now)
            row.remaining, row.at = max(0.0, bucket.left - 1.0), bucket.at
            row.save()
