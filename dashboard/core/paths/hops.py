"""The hops of a traced request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HopStatus(StrEnum):
    """Whether a request took a hop, as far as the evidence shows."""

    TAKEN = "taken"
    NOT_SEEN = "not-seen"
    UNKNOWN = "unknown"


class HopKind(StrEnum):
    """The kinds of hops, in the order in which a request passes them."""

    CLIENT = "client"
    LINKS = "links"
    RULES = "rules"
    DNAT = "dnat"
    CONNTRACK = "conntrack"
    FILTER = "filter"
    LOOPBACK = "loopback"
    PROXY = "proxy"
    MASQUERADE = "masquerade"
    BRIDGE = "bridge"
    VETH = "veth"
    LINK = "link"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop of a traced request. ``evidence`` has the rules, counters and sockets that prove the status ``seen``, one
    per line. ``reason`` explains why the hop was not seen or is unknown; for a hop that was taken, it is a remark."""

    kind: HopKind
    title: str
    seen: HopStatus
    evidence: tuple[str, ...] = ()
    reason: str = ""

    @classmethod
    def taken(cls, kind: HopKind, title: str, *evidence: str, reason: str = "") -> Hop:
        """Returns a hop that the request took."""
        return cls(kind, title, HopStatus.TAKEN, evidence, reason)

    @classmethod
    def not_seen(cls, kind: HopKind, title: str, reason: str, *evidence: str) -> Hop:
        """Returns a hop that the request did not take."""
        return cls(kind, title, HopStatus.NOT_SEEN, evidence, reason)

    @classmethod
    def unknown(cls, kind: HopKind, title: str, reason: str, *evidence: str) -> Hop:
        """Returns a hop that the evidence neither proves nor excludes."""
        return cls(kind, title, HopStatus.UNKNOWN, evidence, reason)


@dataclass(frozen=True, slots=True)
class Trace:
    """One traced request with its hops in order. ``key`` is the key of the request (``request_key``)."""

    key: str
    title: str
    server: str
    url: str
    client_seen: str
    answer: str
    error: str
    hops: tuple[Hop, ...]
