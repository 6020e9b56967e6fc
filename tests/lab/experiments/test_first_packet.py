"""What dropped a request: the packet's own verdict, the kernel's reason, or the counters of rules."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from dashboard.core.namespaces.firewall_listings import Listing
from dashboard.core.paths.model import Path, PathKind
from dashboard.core.paths.packets import EventKind, FirstPacket, PacketEvent, RuleStep
from dashboard.lab.experiments import first_packet
from dashboard.lab.experiments.first_packet import (
    LEGACY,
    LOST,
    REWRITTEN,
    UNCHANGED,
    explain_drop,
    observe_first_packet,
)
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
        (
            FirstPacket((DROPPED[0], replace(DROPPED[1], reason="NETFILTER_DROP"))),
            (listing(1), listing(2)),
            (
                "The kernel dropped it. NETFILTER_DROP: a rule of the packet filter dropped it. "
                f"{MEANWHILE} rule “-A INPUT -j DROP” (table filter) (1 packet)."
            ),
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


@dataclass
class FakeTrace:
    """A trace with these steps."""

    steps: tuple[RuleStep, ...]
    is_complete: bool

    def read(self) -> tuple[RuleStep, ...]:
        return self.steps


ANOTHER = (RuleStep(1, "filter", "X", 0, "accept", "192.0.2.3:5"),)


@pytest.mark.parametrize(
    ("steps", "is_complete", "is_legacy", "reason"),
    [
        ((), True, False, ""),
        ((), True, True, LEGACY),
        ((), False, False, LOST),
        (ANOTHER, True, False, REWRITTEN),
        (ANOTHER, False, False, LOST),
    ],
)
async def test_no_step_of_the_client_is_no_proof_if_messages_were_lost_or_rules_are_not_traced_or_it_was_rewritten(
    steps: tuple[RuleStep, ...], is_complete: bool, is_legacy: bool, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def trace(*_: object) -> AsyncIterator[FakeTrace]:
        yield FakeTrace(steps, is_complete)

    async def has_legacy_rules(*_: object, **__: object) -> bool:
        return is_legacy

    monkeypatch.setattr(first_packet, "trace_rules", trace)
    monkeypatch.setattr(first_packet, "has_legacy_rules", has_legacy_rules)
    monkeypatch.setattr(first_packet, "connect_observed", lambda *_: Connection("127.0.0.1:5", ()))
    with Namespace.of_pid(os.getpid()) as own:
        first = await observe_first_packet(own, own, PATH, private=True)
    assert (first.rules, first.rules_error) == ((), reason)
