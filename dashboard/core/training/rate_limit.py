"""Rate limit of wrong join codes, per client and over all clients. No clock: times in seconds are arguments.

A correct code costs nothing, so a whole session behind one address can join. A client over the limit is rejected even
with the correct code, until its bucket has refilled.
"""

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from dashboard.core.token_bucket import Rate, TokenBucket

#: Forty participants who mistype once each are admitted; a thousand guesses take hours.
PER_CLIENT = Rate(40, 0.1)
OVERALL = Rate(200, 0.5)
MAX_CLIENTS = 5000


@dataclass(slots=True)
class JoinRateLimit:
    """Wrong codes by client and overall."""

    per_client: Rate = PER_CLIENT
    overall: Rate = OVERALL
    _clients: dict[str, TokenBucket] = field(default_factory=dict)
    _all: TokenBucket | None = None

    def wait_s(self, address: str, now: float) -> float:
        """Seconds until this address may try a code again; 0 if it may now."""
        buckets = (self._clients.get(client_key(address)), self._all)
        return max((bucket.wait_s(1.0, now) for bucket in buckets if bucket is not None), default=0.0)

    def record_failure(self, address: str, now: float) -> None:
        """Counts a wrong code."""
        client = self._clients.setdefault(client_key(address), TokenBucket.full(self.per_client, now))
        self._all = self._all or TokenBucket.full(self.overall, now)
        for bucket in (client, self._all):
            charge(bucket, now)
        if len(self._clients) > MAX_CLIENTS:
            self._shrink(now)

    def _shrink(self, now: float) -> None:
        """Drops full buckets, and if that is not enough those with the most tokens."""
        for bucket in self._clients.values():
            bucket.refill(now)
        emptiest = sorted(self._clients.items(), key=lambda item: item[1].tokens)[: MAX_CLIENTS // 2]
        self._clients = {key: bucket for key, bucket in emptiest if bucket.tokens < self.per_client.burst}


def charge(bucket: TokenBucket, now: float) -> None:
    """Takes one token for a wrong code, if there is one left: a client that keeps trying does not get into debt."""
    bucket.refill(now)
    bucket.tokens = max(0.0, bucket.tokens - 1.0)


def client_key(address: str) -> str:
    """The key of a client's bucket: its IPv4 address, or its IPv6 /64, which a single machine usually gets."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:60]
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped) if parsed.ipv4_mapped else f"{int(parsed) >> 64:x}"
    return str(parsed)
