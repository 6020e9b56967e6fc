"""The hops that one request really took, decided from what was read right before, during and after it.

A hop is ``taken`` or ``not-seen`` only where a counter, a table or a socket says so; else it is ``unknown``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dashboard.core.paths.conntrack import Entry
from dashboard.core.paths.model import Cable
from dashboard.core.paths.nat_rules import Growth, read_growth
from dashboard.core.paths.try_paths import Way

#: The fewest packets of an answered request over TCP: SYN, ACK and the question; SYN-ACK and the answer.
FORTH, BACK = 3, 2
NOT_SHOWN = "this kernel does not show its connection tracking"


class Seen(StrEnum):
    """Whether a request took a hop."""

    TAKEN = "taken"
    NOT_SEEN = "not-seen"
    UNKNOWN = "unknown"


class HopKind(StrEnum):
    """What a request may pass, in the order in which it does."""

    CLIENT = "client"
    DNAT = "dnat"
    CONNTRACK = "conntrack"
    LOOPBACK = "loopback"
    PROXY = "proxy"
    MASQUERADE = "masquerade"
    BRIDGE = "bridge"
    VETH = "veth"
    LINK = "link"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Counts:
    """Packets of a link, as the kernel counts them."""

    received: int
    sent: int


@dataclass(frozen=True, slots=True)
class Held:
    """An established connection and the process that has it; no process for one that waits to be accepted."""

    process: str
    pid: int
    local: str
    peer: str

    @property
    def holder(self) -> str:
        """The process as a person names it."""
        return f"{self.process} ({self.pid})" if self.process else "a process that was not found"


@dataclass(frozen=True, slots=True)
class Look:
    """One moment. ``links`` are those of the client's stack, ``inside`` those of the server's, if it has its own."""

    rules: tuple[str, ...] = ()
    links: Mapping[str, Counts] = field(default_factory=dict)
    inside: Mapping[str, Counts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sight:
    """All that was read of one request. Ends are ``address:port``.

    ``own``: the addresses of the client's stack. ``cables``: how the server hangs on bridges. ``held`` are connections
    of the client's stack and ``served`` of the server's while the request stood. ``entries`` is None, and ``rules_why``
    not empty, where that could not be read.
    """

    target: str
    client: str = ""
    client_seen: str = ""
    answer: str = ""
    error: str = ""
    shared: bool = False
    own: frozenset[str] = frozenset()
    cables: tuple[Cable, ...] = ()
    before: Look = Look()
    after: Look = Look()
    held: tuple[Held, ...] = ()
    served: tuple[Held, ...] = ()
    entries: tuple[Entry, ...] | None = None
    rules_why: str = ""


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop. ``evidence`` are the rules, counters and sockets, a line each; ``reason`` says why it was not seen."""

    kind: HopKind
    title: str
    seen: Seen
    evidence: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """One request with its hops, in the order of the request."""

    key: str
    title: str
    server: str
    url: str
    client_seen: str
    answer: str
    error: str
    hops: tuple[Hop, ...]


def read_trace(way: Way, sight: Sight) -> Trace:
    """What ``sight`` proves of the request on ``way``."""
    hops = tuple(_Reading(sight).hops())
    return Trace(way.key, way.title, way.server, way.url, sight.client_seen, sight.answer, sight.error, hops)


def counterpart(ways: Sequence[Way], way: Way) -> Way | None:
    """The way to draw beside: that of another mode, from the same place; loopback against a published port first."""
    order = ("loopback", "published-proxy", "published-dnat", "bridge-address")
    others = [one for one in ways if one.key and one.key != way.key]
    return min(
        others,
        key=lambda one: (
            one.server == way.server,
            one.origin != way.origin,
            one.path == way.path,
            order.index(one.path) if one.path in order else len(order),
        ),
        default=None,
    )


def _address(end: str) -> str:
    return end.rpartition(":")[0].strip("[]")


class _Reading:
    """The facts that several hops share."""

    def __init__(self, sight: Sight) -> None:
        self.sight = sight
        self.growth = () if sight.rules_why else read_growth(sight.before.rules, sight.after.rules)
        self.entry = self._entry(sight.client, sight.target)
        self.acceptor = next(
            (one for one in sight.held if (one.local, one.peer) == (sight.target, sight.client) and sight.client), None
        )
        self.dialled = self._dialled()
        self.translated, self.rule = self._translated()

    def _entry(self, source: str, to: str) -> Entry | None:
        return next((one for one in self.sight.entries or () if (one.source, one.to) == (source, to)), None)

    def _dialled(self) -> Held | None:
        """The second connection of whoever accepted ours: the one that the server has."""
        if self.acceptor is None or self.sight.client_seen in {"", self.sight.client}:
            return None
        same = (one for one in self.sight.held if one.pid == self.acceptor.pid)
        return next((one for one in same if one.local == self.sight.client_seen), None)

    def _translated(self) -> tuple[str, Growth | None]:
        """Where the destination was rewritten to, and the rule that did it."""
        port = int(self.sight.target.rpartition(":")[2] or 0)
        mine = [one for one in self.growth if one.to and one.port == port]
        if self.entry is not None:
            to = self.entry.translated_to
            return to, next((one for one in mine if one.to == to), None)
        if self.acceptor is not None or not mine:
            return "", None
        return mine[0].to, mine[0]

    @property
    def proxied(self) -> bool:
        """Whether somebody accepted the connection who is not the server."""
        if self.acceptor is None:
            return False
        return self.dialled is not None or self.acceptor.process == "docker-proxy"

    @property
    def end(self) -> str:
        """Where the client's packets went."""
        return self.translated or self.sight.target

    def hops(self) -> Iterator[Hop]:
        """All of them, also those that were not taken."""
        yield self._client()
        yield self._dnat()
        yield self._conntrack()
        yield self._loopback()
        yield self._proxy()
        yield self._masquerade()
        yield from self._cable()
        yield self._server()

    def _client(self) -> Hop:
        title = "The client's socket"
        if not self.sight.client:
            return Hop(HopKind.CLIENT, title, Seen.NOT_SEEN, (), self.sight.error or "no connection was made")
        return Hop(HopKind.CLIENT, title, Seen.TAKEN, (f"{self.sight.client} → {self.sight.target}",))

    def _dnat(self) -> Hop:
        title = "A nat rule rewrites the destination (DNAT)"
        if self.translated:
            rule = (_risen(self.rule),) if self.rule is not None else ()
            evidence = (f"{self.sight.target} became {self.translated}", *rule)
            return Hop(HopKind.DNAT, f"DNAT {self.sight.target} → {self.translated}", Seen.TAKEN, evidence)
        if self.acceptor is not None:
            reason = f"{self.acceptor.holder} has the connection to the very address that was asked"
        elif self.entry is not None:
            reason = f"the tracked connection is answered by the very address that was asked, {self.entry.to}"
        elif self.sight.rules_why:
            return Hop(HopKind.DNAT, title, Seen.UNKNOWN, (), self.sight.rules_why)
        else:
            reason = "the counter of no rule for this port rose"
        return Hop(HopKind.DNAT, title, Seen.NOT_SEEN, (), reason)

    def _conntrack(self) -> Hop:
        title = "Connection tracking"
        if not self.sight.client:
            return Hop(HopKind.CONNTRACK, title, Seen.UNKNOWN, (), "no connection stood that could be looked for")
        if self.sight.entries is None:
            return Hop(HopKind.CONNTRACK, title, Seen.UNKNOWN, (), NOT_SHOWN)
        dialled = self._entry(self.dialled.local, self.dialled.peer) if self.dialled is not None else None
        texts = tuple(one.text for one in (self.entry, dialled) if one is not None)
        if not texts:
            reason = "the table has no entry with the client's address and port"
            return Hop(HopKind.CONNTRACK, title, Seen.NOT_SEEN, (), reason)
        return Hop(HopKind.CONNTRACK, title, Seen.TAKEN, texts)

    def _loopback(self) -> Hop:
        title = "lo, inside one network stack"
        away = f"the packets went to {self.end}, which is no address of the client's own stack"
        if not self._is_own(_address(self.end)):
            return Hop(HopKind.LOOPBACK, title, Seen.NOT_SEEN, (), away)
        # Every packet is both sent and received on lo.
        return self._link(
            HopKind.LOOPBACK, title, "lo", (self.sight.before.links, self.sight.after.links), (FORTH + BACK,) * 2
        )

    def _is_own(self, address: str) -> bool:
        return address in self.sight.own or address.startswith("127.") or address == "::1"

    def _proxy(self) -> Hop:
        title = "docker-proxy copies between two connections"
        if self.acceptor is not None and self.proxied:
            evidence = [f"{self.acceptor.holder} accepted {self.sight.client} at {self.acceptor.local}"]
            if self.dialled is not None:
                evidence.append(f"its second connection: {self.dialled.local} → {self.dialled.peer}")
            reason = "" if self.dialled is not None else "its second connection was not seen"
            return Hop(HopKind.PROXY, title, Seen.TAKEN, tuple(evidence), reason)
        if self.acceptor is not None:
            if self.sight.client_seen not in {"", self.sight.client}:
                reason = f"{self.acceptor.holder} accepted, and the server saw another client: its second end is hidden"
                return Hop(HopKind.PROXY, title, Seen.UNKNOWN, (), reason)
            return Hop(HopKind.PROXY, title, Seen.NOT_SEEN, (), f"{self.acceptor.holder} accepted and answered itself")
        return Hop(HopKind.PROXY, title, Seen.NOT_SEEN, (), "no process of the machine accepted the connection")

    def _masquerade(self) -> Hop:
        title = "A nat rule rewrites the source (MASQUERADE)"
        source = self.entry.translated_from if self.entry is not None else ""
        if source:
            rules = tuple(_risen(one) for one in self.growth if not one.to)
            return Hop(HopKind.MASQUERADE, title, Seen.TAKEN, (f"{self.sight.client} became {source}", *rules))
        if self.entry is not None:
            reason = f"the tracked connection is answered to {self.entry.reply_to}, the client's own end"
        elif self.sight.client and self.sight.client == self.sight.client_seen:
            reason = "the server saw the client's own end"
        elif self.proxied:
            reason = "the server saw docker-proxy's own end"
        elif self.sight.rules_why:
            return Hop(HopKind.MASQUERADE, title, Seen.UNKNOWN, (), self.sight.rules_why)
        else:
            reason = "the counter of no such rule rose"
            if any(not one.to for one in self.growth):
                return Hop(
                    HopKind.MASQUERADE, title, Seen.UNKNOWN, (), "a rule's counter rose: whose packet, is not told"
                )
        return Hop(HopKind.MASQUERADE, title, Seen.NOT_SEEN, (), reason)

    def _cable(self) -> Iterator[Hop]:
        cable = self._chosen()
        if cable is None:
            why = "no veth pair that was seen joins the server to a bridge"
            if self.sight.shared:
                why = "client and server share one network stack: nothing leaves it"
            yield Hop(HopKind.BRIDGE, "A bridge and a veth pair", Seen.NOT_SEEN, (), why)
            return
        outside = (self.sight.before.links, self.sight.after.links)
        inside = (self.sight.before.inside, self.sight.after.inside)
        # The machine sends what the container receives.
        yield self._link(HopKind.BRIDGE, f"The bridge {cable.bridge.name}", cable.bridge.name, outside, (BACK, FORTH))
        yield self._link(HopKind.VETH, f"The veth {cable.outer.name}", cable.outer.name, outside, (BACK, FORTH))
        title = f"{cable.inner.name} in the container"
        yield self._link(HopKind.LINK, title, cable.inner.name, inside, (FORTH, BACK))

    def _chosen(self) -> Cable | None:
        """The cable that leads to where the packets went."""
        last = _address(self.dialled.peer if self.dialled is not None else self.end)
        fits = (one for one in self.sight.cables if any(a.address == last for a in one.inner.addresses))
        return next(fits, next(iter(self.sight.cables), None))

    def _link(
        self,
        kind: HopKind,
        title: str,
        name: str,
        looks: tuple[Mapping[str, Counts], Mapping[str, Counts]],
        least: tuple[int, int],
    ) -> Hop:
        old, new = looks[0].get(name), looks[1].get(name)
        if old is None or new is None:
            return Hop(kind, title, Seen.UNKNOWN, (), f"the counters of {name} could not be read")
        received, sent = new.received - old.received, new.sent - old.sent
        counted = f"{name}: {received} received, {sent} sent, during the request"
        if not self.sight.answer and received + sent > 0:
            why = "without an answer nothing tells whose packets these are"
            return Hop(kind, title, Seen.UNKNOWN, (counted,), why)
        if received >= least[0] and sent >= least[1]:
            return Hop(kind, title, Seen.TAKEN, (counted,))
        needs = f"fewer packets than a request needs ({least[0]} received, {least[1]} sent)"
        return Hop(kind, title, Seen.NOT_SEEN, (counted,), needs)

    def _server(self) -> Hop:
        title = "The program that listens"
        seen = self.sight.client_seen
        if not seen:
            reason = self.sight.error or "the server's end of the connection could not be told from others"
            return Hop(HopKind.SERVER, title, Seen.NOT_SEEN if self.sight.error else Seen.UNKNOWN, (), reason)
        mine = next((one for one in self.sight.served if one.peer == seen), None)
        evidence = [f"it sees {seen} as its client"]
        if mine is not None:
            evidence.insert(0, f"{mine.holder} has {mine.local} ← {mine.peer}")
        if self.sight.answer:
            evidence.append(self.sight.answer)
        return Hop(HopKind.SERVER, title, Seen.TAKEN, tuple(evidence), self.sight.error)


def _risen(rule: Growth) -> str:
    packets = f"{rule.packets} packet{'' if rule.packets == 1 else 's'}"
    return f"+{packets}: {rule.text}"
