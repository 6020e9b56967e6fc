"""Rate limits for three things: wrong join codes (per client and over all clients), new participants (per client) and
wrong passwords. No clock is read: times are arguments, in seconds.

A correct code does not count against the limit, so a whole class behind one address can join. A client over the limit
is rejected even with the correct code until its bucket has refilled.
"""

from ipaddress import IPv6Address, ip_address

from dashboard.core.token_bucket import Rate, TokenBucket

#: Forty participants who mistype once each are admitted; a thousand guesses take hours.
PER_CLIENT = Rate(40, 0.1)
OVERALL = Rate(200, 0.5)
#: New participants of one client: forty at once (a class behind one address), then forty a minute.
JOINS = Rate(40, 40 / 60)
#: Wrong passwords of one client, and for one account from all clients.
PASSWORDS, ACCOUNT_PASSWORDS = Rate(10, 1 / 60), Rate(50, 1 / 60)


def charge(bucket: TokenBucket, now: float) -> None:
    """Takes one token if any is left. The number of tokens never becomes negative, however often a client tries."""
    bucket.refill(now)
    bucket.tokens = max(0.0, bucket.tokens - 1.0)


def refund(bucket: TokenBucket, now: float) -> None:
    """Puts one token back, up to the maximum of the bucket."""
    bucket.refill(now)
    bucket.tokens = min(bucket.rate.burst, bucket.tokens + 1.0)


def client_key(address: str) -> str:
    """Returns the key of a client's bucket: its IPv4 address, or the /64 prefix of its IPv6 address, which usually
    belongs to a single machine."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:60]
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped) if parsed.ipv4_mapped else f"{int(parsed) >> 64:x}"
    return str(parsed)
