"""How many wrong guesses are listened to: by address and overall. Token buckets; no clock, times are arguments.

A right code costs nothing, so that a class behind one address comes in; who has guessed too often is not listened to,
not even if the guess is right, until the bucket has filled again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address


@dataclass(frozen=True, slots=True)
class Rate:
    """So many wrong guesses at once, and one more every ``every_s`` seconds."""

    burst: int
    every_s: float


#: A class of forty that mistypes once each is let in; a thousand guesses are a matter of hours.
PER_ADDRESS = Rate(40, 10.0)
OVERALL = Rate(200, 2.0)
MOST_ADDRESSES = 5000


@dataclass(slots=True)
class Bucket:
    """What is left of a rate, ``left`` as it was at ``at``."""

    left: float
    at: float

    def fill(self, rate: Rate, now: float) -> None:
        """What has come back meanwhile; a clock that goes backwards gives nothing and takes nothing."""
        self.left = min(float(rate.burst), self.left + max(0.0, now - self.at) / rate.every_s)
        self.at = now


@dataclass(slots=True)
class Throttle:
    """Wrong guesses by address and overall."""

    per_address: Rate = PER_ADDRESS
    overall: Rate = OVERALL
    _addresses: dict[str, Bucket] = field(default_factory=dict)
    _all: Bucket | None = None

    def wait_s(self, address: str, now: float) -> float:
        """How long this address must wait until a code is looked at; 0: it is looked at now."""
        waits = [0.0]
        for bucket, rate in ((self._addresses.get(place_of(address)), self.per_address), (self._all, self.overall)):
            if bucket is not None:
                bucket.fill(rate, now)
                waits.append((1.0 - bucket.left) * rate.every_s if bucket.left < 1.0 else 0.0)
        return max(waits)

    def wrong(self, address: str, now: float) -> None:
        """A code that was looked at was wrong."""
        place = place_of(address)
        bucket = self._addresses.setdefault(place, Bucket(float(self.per_address.burst), now))
        self._all = self._all or Bucket(float(self.overall.burst), now)
        for one, rate in ((bucket, self.per_address), (self._all, self.overall)):
            one.fill(rate, now)
            one.left = max(0.0, one.left - 1.0)
        if len(self._addresses) > MOST_ADDRESSES:
            self._forget(now)

    def _forget(self, now: float) -> None:
        """Those who have waited long enough, and if that is not enough those who have the most left."""
        for bucket in self._addresses.values():
            bucket.fill(self.per_address, now)
        kept = sorted(self._addresses.items(), key=lambda one: one[1].left)[: MOST_ADDRESSES // 2]
        self._addresses = {place: bucket for place, bucket in kept if bucket.left < self.per_address.burst}


def place_of(address: str) -> str:
    """Who shares a bucket: one IPv4 address, or one IPv6 network of 64 bits, which is what a single machine gets."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:60]
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped) if found.ipv4_mapped else f"{int(found) >> 64:x}"
    return str(found)
