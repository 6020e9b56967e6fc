"""Traces of a real engine agree with its own tables and with a capture on docker0."""

from __future__ import annotations

import re
import shutil
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import takewhile
from typing import NamedTuple

import pytest

from dashboard.core.paths.hops import Hop, HopKind, HopStatus, Trace
from dashboard.core.paths.model import PathKind
from dashboard.engine.hosts.private_host import MACHINE_ADDRESS
from dashboard.lab.experiments import trace as tracing
from dashboard.lab.experiments.actions import NotRunningError, try_paths
from dashboard.lab.experiments.trace import trace, traceable_paths
from dashboard.netns import firewall
from dashboard.netns.namespace import Namespace
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine

PORT = 18301
ETH_P_ALL, ETH_P_IP = 3, 0x0800
TCP_FIN, TCP_RST = 1, 4


def hop(traced: Trace, kind: HopKind) -> Hop:
    return next(hop for hop in traced.hops if hop.kind is kind)


def taken(traced: Trace) -> list[str]:
    return [str(hop.kind) for hop in traced.hops if hop.seen is HopStatus.TAKEN]


def counts(link_hop: Hop) -> tuple[int, int]:
    """Packets received and sent in the hop's evidence."""
    match = re.search(r": (\d+) received, (\d+) sent", link_hop.evidence[0])
    assert match is not None, link_hop
    return int(match[1]), int(match[2])


def dnat_packets(engine_host: PrivateEngine) -> int:
    """Packets of the DNAT rule, by iptables-save and a pattern of this test."""
    saved = engine_host.on_machine("iptables-save", "-c", "-t", "nat")
    return sum(int(n) for n in re.findall(rf"^\[(\d+):\d+\].* --dport {PORT} -j DNAT", saved, re.MULTILINE))


class Frame(NamedTuple):
    """Whether a frame was sent; both endpoints if it is TCP over IPv4, and whether its sender closes the connection."""

    is_sent: bool
    ends: tuple[str, str]
    is_last: bool


def until_closed(frames: Iterable[Frame]) -> list[Frame]:
    """The frames of one connection before the first that closes it. The trace reads its counters after the answer;
    docker-proxy may close its connection later."""
    return list(takewhile(lambda frame: not frame.is_last, frames))


def directions(frames: Iterable[Frame]) -> tuple[int, int]:
    """How many frames were received and sent."""
    sent = [frame.is_sent for frame in frames]
    return sent.count(False), sent.count(True)


class Capture:
    """All frames on docker0 of the suite's private host."""

    def __init__(self, engine_host: PrivateEngine) -> None:
        with Namespace.of_pid(engine_host.pid) as machine:
            self._socket = machine.run(self._open)

    @staticmethod
    def _open() -> socket.socket:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(ETH_P_ALL))
        opened.bind(("docker0", ETH_P_ALL))
        return opened

    def close(self) -> None:
        self._socket.close()

    def frames(self) -> list[Frame]:
        """Frames since the last call."""
        frames: list[Frame] = []
        while True:
            try:
                data, (_, protocol, kind, *_) = self._socket.recvfrom(2048)
            except BlockingIOError:
                return frames
            ends, flags = ("", ""), 0
            if protocol == ETH_P_IP and data[9] == socket.IPPROTO_TCP:
                length = (data[0] & 15) * 4
                ports = struct.unpack_from("!HH", data, length)
                addresses = (socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]))
                ends = (f"{addresses[0]}:{ports[0]}", f"{addresses[1]}:{ports[1]}")
                flags = data[length + 13]
            frames.append(Frame(kind == socket.PACKET_OUTGOING, ends, is_last=bool(flags & (TCP_FIN | TCP_RST))))


@pytest.fixture
def capture(engine_host: PrivateEngine) -> Iterator[Capture]:
    with closing(Capture(engine_host)) as opened:
        yield opened


async def serving(lab_harness: LabHarness) -> str:
    """A running experiment with host and bridge that answers requests on every path."""
    identity = await lab_harness.running("host", "bridge", publish=f"{PORT}:80")

    async def all_answer() -> bool:
        attempts = await try_paths(lab_harness.lab, identity)
        # Since Engine 28 a rule drops what comes from outside for a container's own address.
        asked = [attempt.status for attempt in attempts if attempt.url and attempt.path != PathKind.LAN_CONTAINER]
        return len(asked) >= 14 and set(asked) == {200}  # more where the bridge has IPv6

    await eventually(all_answer)
    driver = lab_harness.driver(identity)
    await driver.settled()  # requests succeed before the new nat rules are read
    return identity


#: Path, hops between the client's socket and the program, and the packets that the DNAT rule counts.
EXPECTED = (
    ("host/loopback", ["loopback"], 0),
    ("bridge/bridge-address", ["bridge", "veth", "link"], 0),
    ("bridge/published-dnat", ["dnat", "bridge", "veth", "link"], 1),
    ("bridge/published-proxy", ["loopback", "proxy", "bridge", "veth", "link"], 0),
)


@pytest.mark.engine
@pytest.mark.usefixtures("usual_paths", "open_machine")
async def test_traces_agree_with_the_tables_and_a_capture_on_docker0(
    lab_harness: LabHarness, engine_host: PrivateEngine, capture: Capture
) -> None:
    identity = await serving(lab_harness)
    keys = {key.rpartition("/")[0]: key for key in traceable_paths(lab_harness.lab, identity)}
    tracked = "src=" in engine_host.on_machine("cat", "/proc/self/net/nf_conntrack")
    for path, hops, packets in EXPECTED:
        capture.frames()
        before = dnat_packets(engine_host)
        # A path that is compared with itself is traced once, so no other request is counted.
        (traced,) = await trace(lab_harness.lab, identity, keys[path], keys[path])
        frames = capture.frames()
        assert traced.answer.startswith("HTTP 200"), traced
        shown = ["conntrack"] if tracked else []
        assert sorted(taken(traced)) == sorted(["client", "links", "rules", "server", *hops, *shown]), traced
        # The first packet of a second connection is observed.
        assert dnat_packets(engine_host) - before == 2 * packets, path
        if packets:
            assert any(line.startswith("+1 packet: ") for line in hop(traced, HopKind.DNAT).evidence), traced
        mine = [frame for frame in frames if traced.client_seen in frame.ends]
        if "bridge" not in hops:
            assert mine == [], "the capture does not show it either"
            continue
        received, sent = counts(hop(traced, HopKind.BRIDGE))
        of_mine, of_all = directions(until_closed(mine)), directions(frames)
        assert of_mine[0] >= 2
        assert of_mine[1] >= 3
        # Counters include neighbour discovery: between the connection's packets and all packets.
        assert of_mine[0] <= received <= of_all[0], (path, frames)
        assert of_mine[1] <= sent <= of_all[1], (path, frames)
        if tracked:
            text = " ".join(hop(traced, HopKind.CONNTRACK).evidence)
            assert f"sport={traced.client_seen.rpartition(':')[2]}" in text
            assert ("src=172.17.0." in text) == (path != "host/loopback")


@pytest.mark.engine
@pytest.mark.usefixtures("usual_paths", "open_machine")
async def test_a_trace_is_compared_with_another_mode_and_an_unknown_path_is_refused(lab_harness: LabHarness) -> None:
    identity = await serving(lab_harness)
    keys = {key.rpartition("/")[0]: key for key in traceable_paths(lab_harness.lab, identity)}
    first, second = await trace(lab_harness.lab, identity, keys["host/loopback"])
    assert (first.server, second.key) == ("host", keys["bridge/published-proxy"])
    assert second.client_seen.startswith("172.17.0.1:")
    inside, chosen = await trace(lab_harness.lab, identity, keys["bridge/inside"], keys["host/machine-address"])
    assert hop(inside, HopKind.LOOPBACK).seen is HopStatus.TAKEN
    assert hop(chosen, HopKind.LOOPBACK).seen is HopStatus.TAKEN
    assert hop(chosen, HopKind.BRIDGE).seen is HopStatus.NOT_SEEN
    for key, beside in (("nobody/loopback", ""), (keys["host/loopback"], "nobody/loopback"), ("", "")):
        with pytest.raises(ValueError, match="choose one of host/loopback"):
            await trace(lab_harness.lab, identity, key, beside)


@pytest.mark.engine
@pytest.mark.usefixtures("usual_paths", "open_machine")
async def test_unreadable_rules_and_entries_are_unknown_and_other_hops_are_still_proved(
    lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await serving(lab_harness)
    key = next(key for key in traceable_paths(lab_harness.lab, identity) if "/published-dnat/" in key)
    monkeypatch.setattr(tracing, "read_tracked", lambda *_: None)
    which = shutil.which
    monkeypatch.setattr("shutil.which", lambda name, **more: None if name == "conntrack" else which(name, **more))
    (traced,) = await trace(lab_harness.lab, identity, key, key)
    assert hop(traced, HopKind.CONNTRACK).seen is HopStatus.UNKNOWN
    assert hop(traced, HopKind.DNAT).seen is HopStatus.TAKEN, "by the rule's counter alone"
    monkeypatch.setattr(firewall, "listing_commands", lambda *_: (("no-such-tool",),))
    (traced,) = await trace(lab_harness.lab, identity, key, key)
    assert hop(traced, HopKind.DNAT).seen is HopStatus.UNKNOWN
    assert "cannot be read" in hop(traced, HopKind.DNAT).reason
    assert hop(traced, HopKind.BRIDGE).seen is HopStatus.TAKEN


@pytest.mark.engine
@pytest.mark.usefixtures("usual_paths", "open_machine")
async def test_the_first_packet_passes_the_links_and_meets_the_rules_that_the_machine_lists(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    identity = await serving(lab_harness)
    inner = (await lab_harness.view(identity)).states["bridge"]
    veth = next(link for link in inner.interfaces if link.name == "eth0")
    published = f"bridge/lan-published/{MACHINE_ADDRESS}:{PORT}"

    async def whole_journey() -> Trace | None:
        (traced,) = await trace(lab_harness.lab, identity, published, published)
        # On a busy machine the kernel may hand the packet to another thread on the way.
        return traced if len(hop(traced, HopKind.LINKS).evidence) == 4 else None

    async def seen_dropped() -> Trace | None:
        (traced,) = await trace(lab_harness.lab, identity, published, published)
        return traced if hop(traced, HopKind.LINKS).reason else None

    answered = await eventually(whole_journey)
    # From the neighbour to the switch, and from there to the machine; then to the container behind the bridge.
    links = hop(answered, HopKind.LINKS).evidence
    assert links[:3] == ("eth0 → neighbour", "uplink1 → eth0", "docker0")
    outer = next(line for line in engine_host.on_machine("ip", "-o", "link").splitlines() if "veth" in line)
    assert links[3] == f"{outer.split()[1].partition('@')[0]} → {veth.name}"
    met = hop(answered, HopKind.RULES).evidence
    assert any(f"--dport {PORT} -j DNAT" in line and line.endswith(": accept") for line in met), met
    assert hop(answered, HopKind.FILTER).seen is HopStatus.NOT_SEEN
    engine_host.on_machine("iptables", "-I", "DOCKER-USER", "-i", "eth0", "-j", "DROP")
    try:
        dropped = await eventually(seen_dropped)
        counted = engine_host.on_machine("iptables", "-nvxL", "DOCKER-USER")
    finally:
        engine_host.on_machine("iptables", "-D", "DOCKER-USER", "-i", "eth0", "-j", "DROP")
    assert hop(dropped, HopKind.FILTER).evidence == ("rule “-A DOCKER-USER -i eth0 -j DROP” (table filter)",)
    assert hop(dropped, HopKind.LINKS).evidence == links[:2]
    assert "NETFILTER_DROP" in hop(dropped, HopKind.LINKS).reason
    assert int(next(line for line in counted.splitlines() if " DROP " in line).split()[0]) >= 2
    assert "netmodes" not in engine_host.on_machine("nft", "list", "tables")


async def test_an_experiment_that_is_not_running_cannot_be_traced(fake_lab: LabHarness, fake: FakeEngine) -> None:
    with pytest.raises(NotRunningError, match="launch it again"):
        await trace(fake_lab.lab, "nobody", "host/loopback")
