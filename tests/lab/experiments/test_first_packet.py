"""What dropped a request: the packet's own verdict, the kernel's reason, or the counters of rules."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dashboard.core.namespaces.firewall_listings import Listing
from dashboard.core.paths.model import Path, PathKind
from dashboard.core.paths.packets import EventKind, FirstPacket, PacketEvent, RuleStep
from dashboard.lab.experiments import first_packet
from dashboard.lab.experiments.first_packet import LEGACY, LOST, UNCHANGED, explain_drop, observe_first_packet
from dashboard.netns.namespace import Namespace
from dashboard.netns.packet_events import Connection

PATH = Path(PathKind.LAN_PUBLISHED, "A path", "neighbour", "bridge", address="127.0.0.1", port=9)
MEANWHILE = "Meanwhile the machine dropped packets, possibly of other connections:"
DROPPED = (
    PacketEvent(EventKind.SENT, 1, "eth0", ethertype=0x0800),
    PacketEvent(EventKind.DROPPED, 1, reason="NO_SOCKET", ethertype=0x0800),
)


def listing(packets: int) -> Listing:
    return Listing(f"*filter\n[{packets}:60] -A INPUT -j DROP\n")


@pytest.mark.parametrize(
    ("first", "listings", "explanation"),
    [
        (
            FirstPacket(DROPPED, (RuleStep(1, "filter", "X", 0, "drop"),)),
            (listing(1), listing(2)),
            "The machine dropped it: policy of the chain X (table filter).",
        ),
        (
            FirstPacket(DROPPED),
            (listing(1), listing(2)),
            "The kernel dropped it. NO_SOCKET: no program listens on the port.",
        ),
        # The packet met rules and passed them: the rule may have dropped the reply.
        (
            FirstPacket((), (RuleStep(1, "filter", "X", 0, "accept"),)),
            (listing(1), listing(2)),
            f"{MEANWHILE} rule “-A INPUT -j DROP” (table filter) (1 packet).",
        ),
        (
            FirstPacket(),
            (listing(1), listing(2)),
            f"{MEANWHILE} rule “-A INPUT -j DROP” (table filter) (1 packet).",
        ),
        (FirstPacket(), (listing(2), listing(2)), ""),
        (FirstPacket(), (Listing(error="busy"), listing(2)), "The machine's rules cannot be read: busy"),
        (FirstPacket(), (listing(2), Listing(error="busy")), "The machine's rules cannot be read: busy"),
    ],
)
async def test_the_packets_own_verdict_comes_before_counters(
    first: FirstPacket, listings: tuple[Listing, ...], explanation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list(listings)

    async def read(*_: object, **__: object) -> Listing:
        return left.pop(0)

    async def observe(*_: object, **__: object) -> FirstPacket:
        return first

    monkeypatch.setattr(first_packet, "read_counted_listing", read)
    monkeypatch.setattr(first_packet, "observe_first_packet", observe)
    with Namespace.of_pid(os.getpid()) as own:
        assert await explain_drop(own, own, PATH, "iptables", private=True) == explanation


async def test_rules_of_machines_that_are_no_private_hosts_are_not_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_packet, "connect_observed", lambda *_: Connection("", (), "no tracepoints"))
    with Namespace.of_pid(os.getpid()) as own:
        first = await observe_first_packet(own, own, PATH, private=False)
    assert (first.rules_error, first.links_error, first.steps, first.links) == (UNCHANGED, "no tracepoints", (), ())


class EmptyTrace:
    """A trace without steps."""

    def __init__(self, *, is_complete: bool) -> None:
        self.is_complete = is_complete

    def read(self) -> tuple[RuleStep, ...]:
        return ()


@pytest.mark.parametrize(
    ("is_complete", "is_legacy", "reason"), [(True, False, ""), (True, True, LEGACY), (False, False, LOST)]
)
async def test_no_step_is_no_proof_if_messages_were_lost_or_rules_are_not_traced(
    is_complete: bool, is_legacy: bool, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def trace(*_: object) -> AsyncIterator[EmptyTrace]:
        yield EmptyTrace(is_complete=is_complete)

    async def has_legacy_rules(*_: object, **__: object) -> bool:
        return is_legacy

    monkeypatch.setattr(first_packet, "trace_rules", trace)
    monkeypatch.setattr(first_packet, "has_legacy_rules", has_legacy_rules)
    monkeypatch.setattr(first_packet, "connect_observed", lambda *_: Connection("127.0.0.1:5", ()))
    with Namespace.of_pid(os.getpid()) as own:
        first = await observe_first_packet(own, own, PATH, private=True)
    assert (first.rules, first.rules_error) == ((), reason)
