"""Token buckets for rate limits. No clock is read: times are arguments, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate limit: at most ``burst`` tokens at once, refilled with ``per_s`` tokens each second."""

    burst: float
    per_s: float


@dataclass(slots=True)
class TokenBucket:
    """A bucket for a rate. ``tokens`` is the number of tokens left at the time ``at``; ``take`` may make it
    negative."""

    rate: Rate
    tokens: float
    at: float

    @classmethod
    def full(cls, rate: Rate, now: float = 0.0) -> TokenBucket:
        """Returns a bucket that is full at the time ``now``."""
        return cls(rate, rate.burst, now)

    def refill(self, now: float) -> None:
        """Adds the tokens of the elapsed time, up to the burst. A clock that goes backwards adds none."""
        self.tokens = min(self.rate.burst, self.tokens + max(0.0, now - self.at) * self.rate.per_s)
        self.at = now

    def take(self, amount: float, now: float) -> float:
        """Takes tokens without ever refusing. Returns the seconds until ``tokens`` is no longer negative."""
        self.refill(now)
        self.tokens -= amount
        return max(0.0, -self.tokens / self.rate.per_s)

    def wait_s(self, amount: float, now: float) -> float:
        """Returns the seconds until ``amount`` tokens are available. Takes none."""
        self.refill(now)
        return max(0.0, (amount - self.tokens) / self.rate.per_s)
