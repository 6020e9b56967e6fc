"""Rate limits of joining: of wrong codes, per client and over all clients, and of new participants per client; and of
wrong passwords. No clock: times in seconds are arguments.

A correct code does not count as a wrong one, so a whole class behind one address can join. A client over the limit is
rejected even with the correct code, until its bucket has refilled.
"""

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from dashboard.core.token_bucket import Rate, TokenBucket

#: Forty participants who mistype once each are admitted; a thousand guesses take hours.
PER_CLIENT = Rate(40, 0.1)
OVERALL = Rate(200, 0.5)
#: New participants of one client: forty at once (a class behind one address), then forty a minute.
JOINS = Rate(40, 40 / 60)
#: Wrong passwords of one client, and for one account from all clients.
PASSWORDS, ACCOUNT_PASSWORDS = Rate(10, 1 / 60), Rate(50, 1 / 60)
MAX_CLIENTS = 5000


@dataclass(slots=True)
class ClientLimit:
    """One bucket for each client, bounded in number."""

    rate: Rate
    _clients: dict[str, TokenBucket] = field(default_factory=dict)

    def wait_s(self, address: str, now: float) -> float:
        """Seconds until this address may act again; 0 if it may now."""
        bucket = self._clients.get(client_key(address))
        return bucket.wait_s(1.0, now) if bucket is not None else 0.0

    def record(self, address: str, now: float) -> None:
        """Counts an action of this address."""
        charge(self._clients.setdefault(client_key(address), TokenBucket.full(self.rate, now)), now)
        if len(self._clients) > MAX_CLIENTS:
            self._shrink(now)

    def take(self, address: str, now: float) -> float:
        """Counts an action of this address and returns 0; if it must wait, only returns the seconds."""
        wait_s = self.wait_s(address, now)
        if not wait_s:
            self.record(address, now)
        return wait_s

    def give_back(self, address: str, now: float) -> None:
        """Reverts one counted action."""
        if (bucket := self._clients.get(client_key(address))) is not None:
            refund(bucket, now)

    def _shrink(self, now: float) -> None:
        """Drops full buckets, and if that is not enough those with the most tokens."""
        for bucket in self._clients.values():
            bucket.refill(now)
        emptiest = sorted(self._clients.items(), key=lambda item: item[1].tokens)[: MAX_CLIENTS // 2]
        self._clients = {key: bucket for key, bucket in emptiest if bucket.tokens < self.rate.burst}


@dataclass(slots=True)
class JoinRateLimit:
    """Wrong codes by client and overall, and new participants by client."""

    per_client: Rate = PER_CLIENT
    overall: Rate = OVERALL
    joins: Rate = JOINS
    _wrong: ClientLimit = field(init=False)
    _joined: ClientLimit = field(init=False)
    _all: TokenBucket | None = None

    def __post_init__(self) -> None:
        self._wrong, self._joined = ClientLimit(self.per_client), ClientLimit(self.joins)

    def wait_s(self, address: str, now: float) -> float:
        """Seconds until this address may try a code again; 0 if it may now."""
        overall = self._all.wait_s(1.0, now) if self._all is not None else 0.0
        return max(self._wrong.wait_s(address, now), overall)

    def record_failure(self, address: str, now: float) -> None:
        """Counts a wrong code."""
        self._wrong.record(address, now)
        self._all = self._all or TokenBucket.full(self.overall, now)
        charge(self._all, now)

    def take_guess(self, address: str, now: float) -> float:
        """Counts a code before it is checked and returns 0; over the limit, returns only the seconds to wait.
        Simultaneous requests cannot exceed it."""
        wait_s = self.wait_s(address, now)
        if not wait_s:
            self.record_failure(address, now)
        return wait_s

    def return_guess(self, address: str, now: float) -> None:
        """Reverts the count of a code that was correct."""
        self._wrong.give_back(address, now)
        if self._all is not None:
            refund(self._all, now)

    def take_join(self, address: str, now: float) -> float:
        """Counts a new participant and returns 0; over the limit, returns only the seconds to wait."""
        return self._joined.take(address, now)

    def return_join(self, address: str, now: float) -> None:
        """Reverts the count of a participant that did not join."""
        self._joined.give_back(address, now)


def charge(bucket: TokenBucket, now: float) -> None:
    """Takes one token if any is left: a client that keeps trying does not go into debt."""
    bucket.refill(now)
    bucket.tokens = max(0.0, bucket.tokens - 1.0)


def refund(bucket: TokenBucket, now: float) -> None:
    """Puts one token back, up to the burst."""
    bucket.refill(now)
    bucket.tokens = min(bucket.rate.burst, bucket.tokens + 1.0)


def client_key(address: str) -> str:
    """The key of a client's bucket: its IPv4 address, or its IPv6 /64, which a single machine usually gets."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:60]
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped) if parsed.ipv4_mapped else f"{int(parsed) >> 64:x}"
    return str(parsed)
