"""Traces of the packet filter, in a namespace of the test."""

from __future__ import annotations

import socket

import pytest

from dashboard.core.paths.packets import RuleStep, choose_packet
from dashboard.netns import rule_traces
from dashboard.netns.namespace import Namespace
from dashboard.netns.request import request
from dashboard.netns.rule_traces import TABLE, TraceUnavailableError, decode_step, trace_rules
from tests.netns.namespaces import Zoo


async def traced(namespace: Namespace, port: int) -> tuple[RuleStep, ...]:
    async with trace_rules(namespace, "127.0.0.1", port) as trace:
        await request(namespace, "127.0.0.1", port, timeout_s=0.05)
        return choose_packet(trace.read(), "")


async def test_the_rules_of_iptables_that_a_packet_meets_are_listed_with_their_verdicts(
    zoo: Zoo, namespace: Namespace
) -> None:
    zoo.ip("link", "set", "lo", "up")
    zoo.run("iptables", "-N", "USER")
    zoo.run("iptables", "-A", "INPUT", "-j", "USER")
    zoo.run("iptables", "-A", "USER", "-p", "tcp", "--dport", "81", "-j", "DROP")
    dropped = await traced(namespace, 81)
    assert [(one.table, one.chain, one.verdict) for one in dropped] == [
        ("filter", "INPUT", "jump USER"),
        ("filter", "USER", "drop"),
    ]
    assert all(one.handle for one in dropped)
    assert dropped[0].source.startswith("127.0.0.1:")
    passed = await traced(namespace, 82)
    assert [(one.chain, one.verdict, bool(one.handle)) for one in passed] == [
        ("INPUT", "jump USER", True),
        ("INPUT", "accept", False),
    ]
    assert TABLE not in zoo.run("nft", "list", "tables").decode()


async def test_a_table_that_a_killed_trace_left_is_replaced(zoo: Zoo, namespace: Namespace) -> None:
    zoo.ip("link", "set", "lo", "up")
    zoo.run("nft", f"table inet {TABLE} {{ chain output {{ type filter hook output priority 0; drop; }}\n}}")
    zoo.run("iptables", "-A", "INPUT", "-j", "ACCEPT")
    assert [one.verdict for one in await traced(namespace, 83)] == ["accept"]


async def test_without_nft_the_reason_is_stated(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_traces, "SEARCH_PATH", "/nowhere")
    with pytest.raises(TraceUnavailableError, match="nft is not installed"):
        async with trace_rules(namespace, "127.0.0.1", 80):
            pass


async def test_what_nft_refuses_is_stated(namespace: Namespace) -> None:
    with pytest.raises(TraceUnavailableError, match="the rules cannot be traced"):
        async with trace_rules(namespace, "no address", 80):
            pass


def test_a_source_is_read_from_ipv6_headers() -> None:
    network = bytes([0x60]) + bytes(7) + socket.inet_pton(socket.AF_INET6, "2001:db8::10") + bytes(16)

    def attribute(kind: int, value: bytes) -> bytes:
        return (4 + len(value)).to_bytes(2, "little") + kind.to_bytes(2, "little") + value + bytes(-len(value) % 4)

    body = bytes(4) + b"".join(
        (
            attribute(1, b"filter\0"),
            attribute(2, b"INPUT\0"),
            attribute(4, (1).to_bytes(4, "big")),
            attribute(6, (9).to_bytes(4, "big")),
            attribute(8, network),
            attribute(9, (4242).to_bytes(2, "big") + bytes(2)),
            attribute(16, (0).to_bytes(4, "big")),
        )
    )
    assert decode_step(body) == RuleStep(9, "filter", "INPUT", 0, "drop", "[2001:db8::10]:4242")
