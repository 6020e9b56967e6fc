"""Rate limits that all web processes share."""

from django.db import models


class GuessBucket(models.Model):
    """The token bucket of one rate limit (``store.operations.rate_limits``). ``key`` names the limit and the client or
    account to which it applies. For the limit of wrong join codes that all clients share, ``key`` is empty. ``at`` is
    in seconds since the epoch."""

    key = models.CharField(primary_key=True, max_length=64)
    remaining = models.FloatField()
    at = models.FloatField(db_index=True)

    def __str__(self) -> str:
        return f"{self.key}: {self.remaining}"
