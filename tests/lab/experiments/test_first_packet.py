"""What dropped a request: the packet's own verdict, the kernel's reason, or the counters of rules."""

from __future__ import annotations

import os

import pytest

from dashboard.core.namespaces.firewall_listings import Listing
from dashboard.core.paths.model import Path, PathKind
from dashboard.core.paths.packets import EventKind, FirstPacket, PacketEvent, RuleStep
from dashboard.lab.experiments import first_packet
from dashboard.lab.experiments.first_packet import UNCHANGED, explain_drop, observe_first_packet
from dashboard.netns.namespace import Namespace
from dashboard.netns.packet_events import EventsUnavailableError

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
        # The packet met rules and passed them: a counter that moved counted another one.
        (FirstPacket((), (RuleStep(1, "filter", "X", 0, "accept"),)), (listing(1), listing(2)), ""),
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
    def refuse(*_: object) -> None:
        raise EventsUnavailableError("no tracepoints")

    monkeypatch.setattr(first_packet, "connect_observed", refuse)
    with Namespace.of_pid(os.getpid()) as own:
        first = await observe_first_packet(own, own, PATH, private=False)
    assert (first.rules_error, first.links_error, first.steps, first.links) == (UNCHANGED, "no tracepoints", (), ())
