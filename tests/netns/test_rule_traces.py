"""Traces of the packet filter, in a namespace of the test."""

from __future__ import annotations

import asyncio
import socket

import pytest

from dashboard.core.paths.packets import RuleStep
from dashboard.netns import rule_traces
from dashboard.netns.namespace import Namespace
from dashboard.netns.request import request
from dashboard.netns.rule_traces import TABLE, TraceUnavailableError, decode_step, remove_left_table, trace_rules
from tests.netns.namespaces import Netns
from tests.support.polling import DEADLINE_S, eventually, others_run


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine nft(8) is slow, and traces wait longer for their turn."""
    for name in ("TIMEOUT_S", "LOCK_S"):
        monkeypatch.setattr(rule_traces, name, DEADLINE_S)


async def traced(namespace: Namespace, port: int) -> tuple[RuleStep, ...]:
    """The steps up to the verdict on the packet: on a busy machine another thread of the kernel handles it later."""
    steps: list[RuleStep] = []
    async with trace_rules(namespace, "127.0.0.1", port) as trace:
        await request(namespace, "127.0.0.1", port, timeout_s=0.05)

        def has_verdict() -> bool:
            steps.extend(trace.read())
            return bool(steps) and steps[-1].verdict in {"accept", "drop"}

        await eventually(has_verdict)
    return tuple(steps)


async def test_the_rules_of_iptables_that_a_packet_meets_are_listed_with_their_verdicts(
    netns: Netns, namespace: Namespace
) -> None:
    netns.ip("link", "set", "lo", "up")
    netns.run("iptables", "-N", "USER")
    netns.run("iptables", "-A", "INPUT", "-j", "USER")
    netns.run("iptables", "-A", "USER", "-p", "tcp", "--dport", "81", "-j", "DROP")
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
    assert TABLE not in netns.run("nft", "list", "tables").decode()


async def test_a_table_that_a_killed_trace_left_is_replaced(netns: Netns, namespace: Namespace) -> None:
    netns.ip("link", "set", "lo", "up")
    netns.run("nft", f"table inet {TABLE} {{ chain output {{ type filter hook output priority 0; drop; }}\n}}")
    netns.run("iptables", "-A", "INPUT", "-j", "ACCEPT")
    assert [one.verdict for one in await traced(namespace, 83)] == ["accept"]


async def test_traces_of_one_namespace_take_turns(netns: Netns, namespace: Namespace) -> None:
    """This includes traces over another descriptor, which another process would have."""
    netns.ip("link", "set", "lo", "up")
    netns.run("iptables", "-A", "INPUT", "-j", "ACCEPT")
    entered: list[int] = []

    async def trace(own: Namespace, port: int) -> tuple[RuleStep, ...]:
        async with trace_rules(own, "127.0.0.1", port) as found:
            entered.append(port)
            assert entered == [port]
            await request(own, "127.0.0.1", port, timeout_s=0.05)
            await others_run()
            entered.remove(port)
            return found.read()

    with namespace.duplicate() as second, Namespace.of_pid(netns.pid) as third:
        results = await asyncio.gather(*(trace(own, 84 + at) for at, own in enumerate((namespace, second, third))))
    assert [[step.verdict for step in steps] for steps in results] == [["accept"]] * 3


async def test_a_trace_does_not_wait_forever(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_traces, "LOCK_S", 0.0)
    async with trace_rules(namespace, "127.0.0.1", 80):
        with pytest.raises(TraceUnavailableError, match="another request is being traced"):
            async with trace_rules(namespace, "127.0.0.1", 80):
                pass


async def test_the_table_is_removed_if_the_caller_is_cancelled_while_nft_runs(
    netns: Netns, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = rule_traces._nft
    added = asyncio.Event()

    async def run_and_hang(own: Namespace, script: str) -> None:
        await run(own, script)
        if "chain" in script:
            added.set()
            await asyncio.Event().wait()

    async def trace() -> None:
        async with trace_rules(namespace, "127.0.0.1", 80):
            pass

    monkeypatch.setattr(rule_traces, "_nft", run_and_hang)
    tracing = asyncio.create_task(trace())
    await added.wait()
    tracing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tracing
    assert TABLE not in netns.run("nft", "list", "tables").decode()


async def test_a_table_that_cannot_be_removed_is_logged(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(_namespace: Namespace, _script: str) -> None:
        raise TraceUnavailableError("nft did not end")

    async with trace_rules(namespace, "127.0.0.1", 80):
        monkeypatch.setattr(rule_traces, "_nft", refuse)
    assert f"the table {TABLE} may remain in net:[{namespace.inode}]" in caplog.text
    monkeypatch.undo()
    await remove_left_table(namespace)


async def test_the_table_of_a_killed_process_is_removed_unless_a_trace_runs(netns: Netns, namespace: Namespace) -> None:
    netns.run("nft", "add", "table", "inet", TABLE)
    await remove_left_table(namespace)
    assert TABLE not in netns.run("nft", "list", "tables").decode()
    async with trace_rules(namespace, "127.0.0.1", 80):
        await remove_left_table(namespace)
        assert TABLE in netns.run("nft", "list", "tables").decode()


async def test_lost_messages_are_noticed(netns: Netns, namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    netns.ip("link", "set", "lo", "up")
    netns.run("iptables", "-A", "INPUT", "-j", "ACCEPT")
    monkeypatch.setattr(rule_traces, "_RECEIVE_BYTES", 1)
    async with trace_rules(namespace, "127.0.0.1", 80) as trace:
        for _ in range(20):
            await request(namespace, "127.0.0.1", 80, timeout_s=0.05)
        trace.read()
        assert not trace.is_complete


async def test_without_nft_the_reason_is_stated(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_traces, "SEARCH_PATH", "/nowhere")
    with pytest.raises(TraceUnavailableError, match="nft is not installed"):
        async with trace_rules(namespace, "127.0.0.1", 80):
            pass


async def test_a_refusal_of_nft_is_stated(namespace: Namespace) -> None:
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
