"""Token buckets, for rate limits. No clock: times in seconds are arguments."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``burst`` at once, refilled by ``per_s`` each second."""

    burst: float
    per_s: float


@dataclass(slots=True)
class TokenBucket:
    """The remaining ``tokens`` of a rate at the time ``at``. ``take`` may make them negative."""

    rate: Rate
    tokens: float
    at: float

    @classmethod
    def full(cls, rate: Rate, now: float = 0.0) -> TokenBucket:
        """A bucket with a whole burst."""
        return cls(rate, rate.burst, now)

    def refill(self, now: float) -> None:
        """Adds the tokens of the elapsed time, up to the burst. A clock that goes backwards adds none."""
        self.tokens = min(self.rate.burst, self.tokens + max(0.0, now - self.at) * self.rate.per_s)
        self.at = now

    def take(self, amount: float, now: float) -> float:
        """Takes tokens, never refuses, and returns the seconds to wait until the bucket is no longer in debt."""
        self.refill(now)
        self.tokens -= amount
        return max(0.0, -self.tokens / self.rate.per_s)

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until ``amount`` tokens are available; takes nothing."""
        self.refill(now)
        return max(0.0, (amount - self.tokens) / self.rate.per_s)
