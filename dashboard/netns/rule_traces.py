"""Traces the rules that the first packet of a connection reaches, with nftables' own trace (nft(8), “meta nftrace”).

A table marks the packets to trace; it exists only during the trace. Only private hosts are traced, so the rules of
other machines are not changed. Rules of iptables with the nf_tables backend are traced, too.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import shutil
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import replace

from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.paths.packets import RuleStep
from dashboard.netns.exec_tool import SEARCH_PATH, run_inside
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.framing import MalformedMessage, open_socket, receive, split_attributes, split_messages

log = logging.getLogger(__name__)
TABLE = "netmodes_trace"
TIMEOUT_S = 5.0
#: How long a trace waits until another one in the same namespace ends.
LOCK_S, _LOCK_STEP_S = 4.0, 0.05
_REMOVAL = f"add table inet {TABLE}\ndelete table inet {TABLE}"
MAX_OUTPUT_BYTES = 100_000
#: Before every rule of iptables, also those of its table raw (priority -300), and after conntrack's defragmentation.
_PRIORITY = -350
_NETLINK_NETFILTER = 12
_GROUP_TRACE = 1 << 8  # NFNLGRP_NFTRACE
_MESSAGE_TRACE = 10 << 8 | 17  # NFNL_SUBSYS_NFTABLES, NFT_MSG_TRACE
_RECEIVE_BYTES = 1 << 20
_TABLE, _CHAIN, _HANDLE, _KIND, _VERDICT, _ID, _NETWORK, _TRANSPORT = 1, 2, 3, 4, 5, 6, 8, 9
_POLICY, _STATE = 16, 21
_POLICY_KIND, _RULE_KIND = 1, 3
_VERDICTS = {0: "drop", 1: "accept", 3: "queue", -1: "continue", -2: "break", -3: "jump", -4: "goto", -5: "return"}
_STATES = {1: "invalid", 2: "established", 4: "related", 8: "new", 64: "untracked"}


class TraceUnavailableError(Exception):
    """Rules cannot be traced here; ``str()`` is the reason."""


class RuleTrace:
    """The messages of one trace. ``is_complete`` tells whether the kernel has dropped none of them so far."""

    def __init__(self, opened: socket.socket) -> None:
        self._opened = opened
        self.is_complete = True

    def read(self) -> tuple[RuleStep, ...]:
        """Returns the new steps of the traced packets: the rules and policies that they reached. Omits the step at the
        rule that marks a packet for the trace. Only this step contains the packet's source, which is therefore copied
        to the packet's other steps."""
        steps: list[RuleStep] = []
        sources: dict[int, str] = {}
        while True:
            try:
                data = receive(self._opened)
            except BlockingIOError:
                return tuple(replace(one, source=one.source or sources.get(one.packet, "")) for one in steps)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.is_complete = False
                continue
            with suppress(MalformedMessage, struct.error):
                for message in split_messages(data):
                    step = decode_step(message.body) if message.type == _MESSAGE_TRACE else None
                    if step is None:
                        continue
                    if step.table == TABLE:
                        sources.setdefault(step.packet, step.source)
                    else:
                        steps.append(step)


def decode_step(body: bytes) -> RuleStep | None:
    """Decodes one step of a trace; None for the end of a chain."""
    found = split_attributes(body, 4)
    kind = _number(found.get(_KIND, b""))
    if kind == _RULE_KIND and _HANDLE in found:
        verdict = split_attributes(found[_VERDICT])
        code = struct.unpack(">i", verdict[1])[0]
        text = _VERDICTS.get(code & ~0xFFFF00 if code > 0 else code, str(code))
        if target := verdict.get(2, b"").rstrip(b"\0").decode(errors="replace"):
            text = f"{text} {target}"
    elif kind == _POLICY_KIND:
        text = _VERDICTS.get(_number(found[_POLICY]), "?")
    else:
        return None
    handle = _number(found[_HANDLE]) if kind == _RULE_KIND else 0
    table, chain = (found[one].rstrip(b"\0").decode(errors="replace") for one in (_TABLE, _CHAIN))
    source, state = _source(found), _STATES.get(_number(found.get(_STATE, b"")), "")
    return RuleStep(_number(found[_ID]), table, chain, handle, text, source, state)


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _source(found: dict[int, bytes]) -> str:
    """Returns the packet's source (``address:port``) from the attributes of a message. Empty if the message has no
    headers: only the first message of a packet has them."""
    network, transport = found.get(_NETWORK, b""), found.get(_TRANSPORT, b"")
    if len(transport) < 2 or len(network) < 20:
        return ""
    family, raw = (socket.AF_INET, network[12:16]) if network[0] >> 4 == 4 else (socket.AF_INET6, network[8:24])
    if len(raw) not in {4, 16}:
        return ""
    return format_endpoint(socket.inet_ntop(family, raw), _number(transport[:2]))


@asynccontextmanager
async def trace_rules(namespace: Namespace, address: str, port: int) -> AsyncIterator[RuleTrace]:
    """Traces the first packet of each TCP connection to this address and port while the body of the ``async with``
    statement runs. Raises TraceUnavailableError, NamespaceGone or OSError."""
    if shutil.which("nft", path=SEARCH_PATH) is None:
        raise TraceUnavailableError("nft is not installed: the counters of rules include other packets")
    with _lock_file(namespace) as lock:
        await _lock(lock)
        opened = await namespace.arun(
            lambda: open_socket(_NETLINK_NETFILTER, _GROUP_TRACE, _RECEIVE_BYTES), discard=socket.socket.close
        )
        with opened:
            try:
                await _nft(namespace, f"{_REMOVAL}\n{_table(address, port)}")
                yield RuleTrace(opened)
            finally:
                # The table is removed even if the caller was cancelled while nft ran, which may have added it.
                await asyncio.shield(_remove_table(namespace))


async def remove_left_table(namespace: Namespace) -> None:
    """Removes the table that a process left behind when it was killed during a trace, unless a trace is running now."""
    if shutil.which("nft", path=SEARCH_PATH) is not None:
        with _lock_file(namespace) as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            await _remove_table(namespace)


@contextmanager
def _lock_file(namespace: Namespace) -> Iterator[int]:
    """Yields a new descriptor of the namespace, for ``_lock``, and closes it at the end of the ``with`` block. A lock
    on it excludes traces by this process and by others. The lock ends when the descriptor is closed (flock(2))."""
    lock = os.open(f"/proc/self/fd/{namespace.fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield lock
    finally:
        os.close(lock)


async def _lock(lock: int) -> None:
    """Waits until no other trace of the namespace runs, and locks ``lock``, a descriptor of ``_lock_file``. Raises
    TraceUnavailableError after LOCK_S. Traces exclude each other, because all use the same table, and each socket
    receives the messages of all traces."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LOCK_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if loop.time() > deadline:
                raise TraceUnavailableError("another request is being traced on this machine") from None
            await asyncio.sleep(_LOCK_STEP_S)
        else:
            return


async def _remove_table(namespace: Namespace) -> None:
    try:
        await _nft(namespace, _REMOVAL)
    except NamespaceGone:
        pass
    except (TraceUnavailableError, OSError) as error:
        log.warning("the table %s may remain in net:[%d]: %s", TABLE, namespace.inode, error)


def _table(address: str, port: int) -> str:
    family = "ip6" if ":" in address else "ip"
    rule = f"{family} daddr {address} tcp dport {port} tcp flags & (syn | ack) == syn meta nftrace set 1"
    chains = "".join(
        f"chain {hook} {{ type filter hook {hook} priority {_PRIORITY}; {rule}; }}\n"
        for hook in ("prerouting", "output")
    )
    return f"table inet {TABLE} {{\n{chains}}}"


async def _nft(namespace: Namespace, script: str) -> None:
    codes: list[int | None] = []
    output = run_inside(
        namespace, ("nft", script), timeout_s=TIMEOUT_S, limit_bytes=MAX_OUTPUT_BYTES, on_exit=codes.append
    )
    async with aclosing(output) as pieces:
        text = "".join([piece async for piece in pieces]).strip()
    if codes != [0]:
        reason = (text.splitlines() or ["no output"])[0][:200]
        raise TraceUnavailableError(f"the rules cannot be traced ({reason})")
