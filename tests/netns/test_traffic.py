"""The traffic of a namespace: counters, holders and tracked connections."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest

from dashboard.core.paths.evidence import PacketCounts
from dashboard.netns import traffic
from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink.framing import MalformedMessage, pack_attribute
from dashboard.netns.traffic import decode_counts, read_counts, read_process_connections, read_tracked
from tests.netns.namespaces import Netns, wanted


def test_a_connection_over_lo_is_counted_and_its_processes_are_named(netns: Netns, namespace: Namespace) -> None:
    netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    before = read_counts(namespace)["lo"]
    with namespace.run(lambda: socket.create_connection(("127.0.0.1", 80))) as ours:
        after = read_counts(namespace)["lo"]
        assert after.sent - before.sent == after.received - before.received == 3, "SYN, SYN-ACK, ACK"
        end = f"127.0.0.1:{ours.getsockname()[1]}"
        held = {(one.local, one.peer): one.pid for one in read_process_connections(namespace, {80})}
    assert held == {(end, "127.0.0.1:80"): os.getpid(), ("127.0.0.1:80", end): 0}, "nobody accepted it"
    assert read_process_connections(namespace, {81}) == ()


def test_a_link_without_its_counters_is_malformed() -> None:
    stats = pack_attribute(23, struct.pack("=QQ", 1, 2))
    assert decode_counts(bytes(16) + stats) == PacketCounts(1, 2)
    for body in (bytes(16), bytes(3), bytes(16) + pack_attribute(23, bytes(8))):
        with pytest.raises(MalformedMessage):
            decode_counts(body)


def test_only_lines_with_a_wanted_port_are_kept(
    namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "nf_conntrack"
    table.write_text("tcp sport=8080 dport=1\ntcp sport=808 dport=2\nudp dport=80 \n")
    monkeypatch.setattr(traffic, "TRACKED", table)
    assert read_tracked(namespace, {8080, 80}) == ("tcp sport=8080 dport=1", "udp dport=80")
    monkeypatch.setattr(traffic, "TRACKED", tmp_path / "none")
    assert read_tracked(namespace, {80}) is None
