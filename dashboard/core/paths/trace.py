"""Decides which hops a request took, from the evidence that was read before, during and after it.

A hop is ``taken`` or ``not-seen`` only if a counter, a table or a socket proves it; otherwise it is ``unknown``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from dashboard.core.namespaces.addresses import address_of
from dashboard.core.namespaces.forwarders import DOCKER_PROXY, forwarder_name, is_rootless_forwarder
from dashboard.core.namespaces.visibility import name_machine
from dashboard.core.paths.conntrack import ConntrackEntry
from dashboard.core.paths.drops import read_drops
from dashboard.core.paths.evidence import PacketCounts, ProcessConnection, TraceEvidence
from dashboard.core.paths.hops import Hop, HopKind, Trace
from dashboard.core.paths.model import Path
from dashboard.core.paths.nat_rules import CounterIncrease, read_counter_increases, read_translations, read_uncounted
from dashboard.core.paths.packets import links_hop, rules_hop
from dashboard.core.paths.requests import request_key, request_url

#: The minimum number of packets of an answered request over TCP: SYN, ACK and the request; SYN-ACK and the response.
REQUEST_PACKETS, RESPONSE_PACKETS = 3, 2
NO_ENTRY = (
    "the table has no entry with the client's address and port. The events of connection tracking are not observed: "
    "an entry that exists only for a moment, for example for a dropped first packet, is not seen"
)


def read_trace(path: Path, evidence: TraceEvidence) -> Trace:
    """Returns the trace of a request on ``path``. Its hops have the status that ``evidence`` proves."""
    hops = tuple(_HopReader(evidence).hops())
    return Trace(
        request_key(path),
        path.title,
        path.server,
        request_url(path),
        evidence.client_seen,
        evidence.answer,
        evidence.error,
        hops,
    )


def name_machine_in(traced: Trace, title: str) -> Trace:
    """Returns the trace with ``title`` as the name of the machine in its texts."""
    hops = tuple(
        replace(hop, title=name_machine(hop.title, title), reason=name_machine(hop.reason, title))
        for hop in traced.hops
    )
    return replace(traced, error=name_machine(traced.error, title), hops=hops)


class _HopReader:
    """Decides each hop. The attributes are facts that several hops share. ``accepted`` is the socket that accepted the
    client's connection, also if the client's host has rewritten the client's address; None if no observed process
    accepted it. ``forwarded`` is the connection of that process to the server; None if the process forwards nothing."""

    def __init__(self, evidence: TraceEvidence) -> None:
        self.evidence = evidence
        rules = ((), ()) if evidence.rules_error else (evidence.before.rules, evidence.after.rules)
        self.increases = read_counter_increases(*rules)
        self.uncounted = read_uncounted(rules[1])
        clients = (evidence.client, evidence.client_seen) if evidence.client else ()
        found = (self._find_entry(client, evidence.target) for client in clients)
        self.entry = next((entry for entry in found if entry is not None), None)
        at_target = {socket.peer: socket for socket in evidence.client_connections if socket.local == evidence.target}
        self.accepted = next((at_target[client] for client in clients if client in at_target), None)
        self.forwarded = self._find_forwarded()
        self.translated, self.rule = self._find_translation()

    def _find_entry(self, source: str, destination: str) -> ConntrackEntry | None:
        entries, ends = self.evidence.entries or (), (source, destination)
        return next((entry for entry in entries if (entry.source, entry.destination) == ends), None)

    def _find_forwarded(self) -> ProcessConnection | None:
        client_seen = self.evidence.client_seen
        if self.accepted is None or client_seen in {"", self.evidence.client}:
            return None
        # The second connection of a rootless Podman's forwarder is in the server's namespace.
        inside, ends = is_rootless_forwarder(self.accepted.process), (self.accepted.pid, client_seen)
        sockets = self.evidence.server_connections if inside else self.evidence.client_connections
        return next((socket for socket in sockets if (socket.pid, socket.local) == ends), None)

    def _find_translation(self) -> tuple[str, CounterIncrease | None]:
        """Returns the new destination, and the rule that set it (None if no counter shows the rule). Returns ("", None)
        if the destination was not translated."""
        port = int(self.evidence.target.rpartition(":")[2] or 0)
        matching = [rule for rule in self.increases if rule.to and rule.port == port]
        if self.entry is not None:
            to = self.entry.translated_to
            return to, next((rule for rule in matching if rule.to == to), None)
        if self.accepted is not None or not matching:
            return "", None
        return matching[0].to, matching[0]

    @property
    def proxied(self) -> bool:
        """Whether a process other than the server accepted the connection."""
        return self.accepted is not None and bool(self.forwarded or forwarder_name(self.accepted.process))

    @property
    def proxy(self) -> str:
        """The name of the program that forwards in user space; docker-proxy if none was seen."""
        return forwarder_name(self.accepted.process if self.accepted else "") or DOCKER_PROXY

    @property
    def destination(self) -> str:
        """The endpoint to which the client's packets went after DNAT, if there was any."""
        return self.translated or self.evidence.target

    def hops(self) -> Iterator[Hop]:
        """Yields all hops, including those that were not taken."""
        yield self._client()
        yield links_hop(self.evidence.first)
        yield rules_hop(self.evidence.first)
        yield self._dnat()
        yield self._conntrack()
        if self.evidence.filtered:
            yield self._filter()
        yield self._loopback()
        yield self._proxy()
        yield self._masquerade()
        yield from self._veth()
        yield self._server()

    def _client(self) -> Hop:
        kind, title = HopKind.CLIENT, "The client's socket"
        if not self.evidence.client:
            return Hop.not_seen(kind, title, self.evidence.error or "no connection was made")
        return Hop.taken(kind, title, f"{self.evidence.client} → {self.evidence.target}")

    def _filter(self) -> Hop:
        kind, title = HopKind.FILTER, "A rule of the machine drops the request"
        if rule := self.evidence.first.dropping_rule:
            return Hop.taken(kind, title, rule, reason="This rule dropped the first packet of the connection itself.")
        if self.evidence.first.steps and self.evidence.answer:
            return Hop.not_seen(kind, title, "the first packet met no rule that dropped it")
        if self.evidence.filter_error:
            if self.evidence.answer:
                return Hop.not_seen(kind, title, "the request was answered")
            return Hop.unknown(kind, title, self.evidence.filter_error)
        drops = read_drops(self.evidence.before.filter_rules, self.evidence.after.filter_rules)
        evidence = [f"+{drop.packets} packet{'' if drop.packets == 1 else 's'}: {drop.rule}" for drop in drops]
        if not drops:
            return Hop.not_seen(kind, title, "no rule that drops or rejects has counted a packet")
        if self.evidence.answer:
            return Hop.not_seen(kind, title, "the request was answered: these are other packets", *evidence)
        return Hop.unknown(kind, title, "the counters may include packets of other connections", *evidence)

    def _dnat(self) -> Hop:
        kind, title = HopKind.DNAT, "A nat rule rewrites the destination (DNAT)"
        if self.translated:
            rule = (_describe_increase(self.rule),) if self.rule is not None else ()
            title = f"DNAT {self.evidence.target} → {self.translated}"
            return Hop.taken(kind, title, f"{self.evidence.target} became {self.translated}", *rule)
        if self.accepted is not None:
            reason = f"{self.accepted.owner} accepted the connection at the requested address"
        elif self.entry is not None:
            reason = f"connection tracking shows that the requested address itself answers: {self.entry.destination}"
        elif self.evidence.rules_error:
            return Hop.unknown(kind, title, self.evidence.rules_error)
        elif uncounted := [
            rule.text
            for rule in read_translations(self.uncounted)
            if str(rule.port) == self.evidence.target.rpartition(":")[2]
        ]:
            return Hop.unknown(kind, title, "the rule for this port has no packet counter", *uncounted)
        else:
            reason = "no rule for this port has counted a packet"
        return Hop.not_seen(kind, title, reason)

    def _conntrack(self) -> Hop:
        kind, title = HopKind.CONNTRACK, "Connection tracking"
        if not self.evidence.client:
            return Hop.unknown(kind, title, "no connection was made, so there was none to look up")
        if self.evidence.entries is None:
            return Hop.unknown(kind, title, "this kernel does not show its connection tracking table")
        entries = [self.entry]
        if self.forwarded is not None:
            entries.append(self._find_entry(self.forwarded.local, self.forwarded.peer))
        lines = [entry.text for entry in entries if entry is not None]
        if not lines:
            return Hop.not_seen(kind, title, NO_ENTRY)
        return Hop.taken(kind, title, *lines)

    def _loopback(self) -> Hop:
        kind, title = HopKind.LOOPBACK, "lo, inside one network stack"
        address = address_of(self.destination)
        if not (address in self.evidence.own_addresses or address.startswith("127.") or address == "::1"):
            reason = f"the packets went to {self.destination}, which is not an address of the client's network stack"
            return Hop.not_seen(kind, title, reason)
        # lo both sends and receives every packet.
        packets = REQUEST_PACKETS + RESPONSE_PACKETS
        return self._link(kind, title, "lo", self._client_counts, (packets, packets))

    def _proxy(self) -> Hop:
        kind, title = HopKind.PROXY, f"{self.proxy} copies between two connections"
        accepted, forwarded = self.accepted, self.forwarded
        if accepted is None:
            return Hop.not_seen(kind, title, "no process of the machine accepted the connection")
        if self.proxied:
            evidence = [f"{accepted.owner} accepted {self.evidence.client} at {accepted.local}"]
            if forwarded is None:
                return Hop.taken(kind, title, *evidence, reason="its second connection was not seen")
            where = ", in the server's namespace" if is_rootless_forwarder(accepted.process) else ""
            evidence.append(f"its second connection{where}: {forwarded.local} → {forwarded.peer}")
            return Hop.taken(kind, title, *evidence)
        if self.evidence.client_seen not in {"", self.evidence.client, accepted.peer}:
            reason = f"{accepted.owner} accepted, and the server saw another client: its second connection was not seen"
            return Hop.unknown(kind, title, reason)
        return Hop.not_seen(kind, title, f"{accepted.owner} accepted the connection and answered itself")

    def _masquerade(self) -> Hop:
        kind, title = HopKind.MASQUERADE, "A nat rule rewrites the source (MASQUERADE)"
        client, entry = self.evidence.client, self.entry
        rules = [_describe_increase(rule) for rule in self.increases if not rule.to]
        if entry is not None and entry.translated_from:
            return Hop.taken(kind, title, f"{client} became {entry.translated_from}", *rules)
        if entry is not None and entry.source != client:
            reason = f"the packets already came from {entry.source}: the client's host has rewritten {client}"
        elif entry is not None:
            reason = f"replies of the tracked connection go to {entry.reply_destination}, the client's own endpoint"
        elif client and client == self.evidence.client_seen:
            reason = "the server saw the client's own endpoint"
        elif self.proxied and self.forwarded is not None:
            reason = f"the server saw {self.proxy}'s own endpoint"
        elif self.evidence.rules_error:
            return Hop.unknown(kind, title, self.evidence.rules_error)
        elif rules:
            return Hop.unknown(kind, title, "a rule has counted packets, possibly of another connection")
        elif uncounted := [text for text in self.uncounted if "masquerade" in text or "snat" in text]:
            return Hop.unknown(kind, title, "the rules have no packet counters", *uncounted)
        else:
            reason = "no such rule has counted a packet"
        return Hop.not_seen(kind, title, reason)

    def _veth(self) -> Iterator[Hop]:
        # Prefer the link that has the address to which the packets went.
        last = address_of(self.forwarded.peer if self.forwarded is not None else self.destination)
        veths = sorted(self.evidence.veths, key=lambda veth: all(a.address != last for a in veth.inner.addresses))
        if not veths:
            reason = "no observed veth pair joins the server to a bridge"
            if self.evidence.shared:
                near = "the machine" if self.evidence.filtered else "client"
                reason = f"{near} and server share one network stack: no packet passes a bridge"
            yield Hop.not_seen(HopKind.BRIDGE, "A bridge and a veth pair", reason)
            return
        bridge, outer, inner = veths[0].hops
        server_counts = (self.evidence.before.server_links, self.evidence.after.server_links)
        # The machine sends what the container receives.
        sent, received = REQUEST_PACKETS, RESPONSE_PACKETS
        yield self._link(HopKind.BRIDGE, f"The bridge {bridge}", bridge, self._client_counts, (received, sent))
        yield self._link(HopKind.VETH, f"The veth {outer}", outer, self._client_counts, (received, sent))
        yield self._link(HopKind.LINK, f"{inner} in the container", inner, server_counts, (sent, received))

    @property
    def _client_counts(self) -> tuple[Mapping[str, PacketCounts], Mapping[str, PacketCounts]]:
        return self.evidence.before.client_links, self.evidence.after.client_links

    def _link(
        self,
        kind: HopKind,
        title: str,
        name: str,
        counts: tuple[Mapping[str, PacketCounts], Mapping[str, PacketCounts]],
        minimum: tuple[int, int],
    ) -> Hop:
        """Returns the hop over the link ``name``. ``counts`` are the packet counters before and after the request, by
        link. ``minimum`` is how many packets the link must have received and sent for the hop to be taken."""
        before, after = (links.get(name) for links in counts)
        if before is None or after is None:
            return Hop.unknown(kind, title, f"the counters of {name} could not be read")
        received, sent = after.received - before.received, after.sent - before.sent
        evidence = f"{name}: {received} received, {sent} sent, during the request"
        if not self.evidence.answer and received + sent > 0:
            reason = "without an answer these may be the packets of another connection"
            return Hop.unknown(kind, title, reason, evidence)
        if received >= minimum[0] and sent >= minimum[1]:
            return Hop.taken(kind, title, evidence)
        reason = f"fewer packets than a request needs ({minimum[0]} received, {minimum[1]} sent)"
        return Hop.not_seen(kind, title, reason, evidence)

    def _server(self) -> Hop:
        kind, title = HopKind.SERVER, "The program that listens"
        client = self.evidence.client_seen
        if not client:
            if self.evidence.error:
                return Hop.not_seen(kind, title, self.evidence.error)
            return Hop.unknown(kind, title, "the server's end of the connection could not be identified")
        sockets = (socket for socket in self.evidence.server_connections if socket.peer == client)
        evidence = [f"{socket.owner} has {socket.local} ← {socket.peer}" for socket in islice(sockets, 1)]
        evidence.append(f"it sees {client} as its client")
        if self.evidence.answer:
            evidence.append(self.evidence.answer)
        return Hop.taken(kind, title, *evidence, reason=self.evidence.error)


def _describe_increase(rule: CounterIncrease) -> str:
    return f"+{rule.packets} packet{'' if rule.packets == 1 else 's'}: {rule.text}"
