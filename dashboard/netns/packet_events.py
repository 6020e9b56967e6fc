"""Follows the packets that one thread sends, with the kernel's tracepoints and perf_event_open(2).

The kernel handles a packet that crosses veth pairs and bridges within the system call that sends it. So an event
counter of the calling thread sees the packet in every namespace, and no other packets. The counters end with their
descriptors.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import re
import select
import socket
import struct
import subprocess
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from functools import cache

from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.paths.packets import EventKind, PacketEvent
from dashboard.netns.namespace import Namespace

EVENTS = {
    "net_dev_start_xmit": EventKind.SENT,
    "netif_receive_skb": EventKind.RECEIVED,
    "kfree_skb": EventKind.DROPPED,
}
_FORMATS = ("net/net_dev_start_xmit", "net/netif_receive_skb", "skb/kfree_skb")
#: tracefs is mounted in a mount namespace that ends with the command, unless the machine has it mounted.
_READ_FORMATS = """
cd /sys/kernel/tracing
[ -d events ] || { mount -t tracefs tracefs /sys/kernel/tracing; cd /sys/kernel/tracing; }
for event in "$@"; do cat "events/$event/format"; done
"""
_SYSCALL = {"x86_64": 298, "aarch64": 241}
_ATTRIBUTE_BYTES = 128
_TRACEPOINT, _SAMPLE_RAW, _SAMPLE = 2, 1 << 10, 9
_SET_OUTPUT = 0x2405
_PAGES = 64
_HEAD_AT, _TAIL_AT = 1024, 1032
_RECORD = struct.Struct("=IHH")


class EventsUnavailableError(Exception):
    """Tracepoints cannot be read here; ``str()`` is the reason."""


@dataclass(frozen=True, slots=True)
class _Format:
    """The format of one tracepoint: the offsets of its fields, and the names of drop reasons by number."""

    identity: int
    kind: EventKind
    offsets: dict[str, int]
    reasons: dict[int, str]


@dataclass(frozen=True, slots=True)
class Connection:
    """The result of an attempt to connect: the client's end (``address:port``) and the events of its packets. ``error``
    states why no events were read, otherwise it is empty."""

    client: str
    events: tuple[PacketEvent, ...]
    error: str = ""


def connect_observed(namespace: Namespace, address: str, port: int, timeout_s: float) -> Connection:
    """Opens a connection from the namespace, and closes it. Returns the result with the events of the packets that were
    sent before the close. Waits at most ``timeout_s`` for the connection. Blocks."""
    try:
        formats = _formats()
    except EventsUnavailableError as error:
        connection = namespace.run(lambda: _connect((), address, port, timeout_s))
        return replace(connection, error=str(error))
    return namespace.run(lambda: _connect(formats, address, port, timeout_s))


def _connect(formats: tuple[_Format, ...], address: str, port: int, timeout_s: float) -> Connection:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as stack, socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as opened:
        opened.setblocking(False)
        _avoid_handover()
        ring, problem = None, ""
        if formats:
            try:
                ring = _open_ring(formats, stack)
            except EventsUnavailableError as error:
                problem = str(error)
        if opened.connect_ex((address, port)) == errno.EINPROGRESS:
            # Unlike select(2), it has no limit on the number of a descriptor.
            connected = select.poll()
            connected.register(opened, select.POLLOUT)
            connected.poll(timeout_s * 1000)
        own = opened.getsockname()
        events = _read(ring, {one.identity: one for one in formats}) if ring is not None else ()
        return Connection(format_endpoint(own[0], own[1]), events, problem)


def _avoid_handover() -> None:
    """Gives the calling thread, which ends soon, a real-time priority, so that it handles its packets itself.
    Otherwise, if another program needs the core, the kernel leaves the packets to another thread (ksoftirqd). Their
    further events would be missed."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def _open_ring(formats: tuple[_Format, ...], stack: ExitStack) -> mmap.mmap:
    """Opens counters for the calling thread and returns the buffer in which the kernel writes the events of all
    counters in order. ``stack`` closes counters and buffer. Raises EventsUnavailableError."""
    counters = []
    for one in formats:
        counters.append(_open_counter(one.identity))
        stack.callback(os.close, counters[-1])
    try:
        ring = stack.enter_context(closing(mmap.mmap(counters[0], (1 + _PAGES) * mmap.PAGESIZE)))
        for counter in counters[1:]:
            fcntl.ioctl(counter, _SET_OUTPUT, counters[0])
    except OSError as error:
        raise EventsUnavailableError(f"the kernel's tracepoints cannot be read: {error.strerror}") from error
    return ring


def _open_counter(identity: int) -> int:
    number = _SYSCALL.get(platform.machine())
    if number is None:
        raise EventsUnavailableError("tracepoints are read on x86_64 and aarch64 only")
    library = ctypes.CDLL(None, use_errno=True)
    attribute = struct.pack("=IIQQQ", _TRACEPOINT, _ATTRIBUTE_BYTES, identity, 1, _SAMPLE_RAW)
    buffer = ctypes.create_string_buffer(attribute, _ATTRIBUTE_BYTES)
    cloexec = 1 << 3
    descriptor = library.syscall(number, buffer, 0, -1, -1, ctypes.c_ulong(cloexec))
    if descriptor < 0:
        reason = os.strerror(ctypes.get_errno())
        raise EventsUnavailableError(f"the kernel refuses to count its tracepoints (perf_event_open: {reason})")
    return int(descriptor)


def _read(ring: mmap.mmap, formats: dict[int, _Format]) -> tuple[PacketEvent, ...]:
    (head,) = struct.unpack_from("=Q", ring, _HEAD_AT)
    (tail,) = struct.unpack_from("=Q", ring, _TAIL_AT)
    size = _PAGES * mmap.PAGESIZE
    data = ring[mmap.PAGESIZE : mmap.PAGESIZE + size] * 2
    events = []
    while tail < head:
        at = tail % size
        kind, _misc, length = _RECORD.unpack_from(data, at)
        if kind == _SAMPLE:
            raw = data[at + 12 : at + length]
            if found := formats.get(struct.unpack_from("=H", raw)[0]):
                events.append(decode_event(found, raw))
        tail += max(length, _RECORD.size)
    return tuple(events)


def decode_event(event: _Format, raw: bytes) -> PacketEvent:
    """Decodes one event. ``event`` is the format of its tracepoint, ``raw`` the recorded fields."""
    offsets = event.offsets
    (packet,) = struct.unpack_from("=Q", raw, offsets["skbaddr"])
    ethertype = struct.unpack_from("=H", raw, offsets["protocol"])[0] if "protocol" in offsets else 0
    if event.kind is EventKind.DROPPED:
        (number,) = struct.unpack_from("=I", raw, offsets["reason"])
        return PacketEvent(event.kind, packet, reason=event.reasons.get(number, str(number)), ethertype=ethertype)
    # A field of variable length: its length and its place.
    size, place = divmod(struct.unpack_from("=I", raw, offsets["name"])[0], 1 << 16)
    name = raw[place : place + size].partition(b"\0")[0].decode("utf-8", "replace")
    length = struct.unpack_from("=I", raw, offsets["len"])[0] if event.kind is EventKind.SENT else 0
    return PacketEvent(event.kind, packet, name, ethertype=ethertype, length=length)


@cache
def _formats() -> tuple[_Format, ...]:
    """Reads the formats of this kernel's tracepoints. Caches only a success. Raises EventsUnavailableError."""
    command = ["unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-euc", _READ_FORMATS, "sh"]
    try:
        done = subprocess.run([*command, *_FORMATS], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EventsUnavailableError(f"the kernel's tracepoints cannot be listed: {error}") from error
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise EventsUnavailableError(f"this kernel does not show its tracepoints ({reason[:200]})")
    return read_formats(done.stdout)


def read_formats(text: str) -> tuple[_Format, ...]:
    """Decodes the formats of the tracepoints; ``text`` contains their files one after the other. Raises
    EventsUnavailableError if the kernel lacks fields that are needed, for example drop reasons."""
    found = []
    for part in re.split(r"(?m)^name: ", text)[1:]:
        kind = EVENTS.get(part.partition("\n")[0].strip())
        identity = re.search(r"(?m)^ID: (\d+)$", part)
        if kind is None or identity is None:
            continue
        fields = re.findall(r"field:[^;]*?(\w+)(?:\[\w*\])?;\s*offset:(\d+);", part)
        reasons = {int(number): name for number, name in re.findall(r"\{ (\d+), \"(\w+)\" \}", part)}
        found.append(_Format(int(identity[1]), kind, {name: int(at) for name, at in fields}, reasons))
    needed = {
        EventKind.SENT: {"skbaddr", "name", "protocol", "len"},
        EventKind.RECEIVED: {"skbaddr", "name"},
        EventKind.DROPPED: {"skbaddr", "reason"},
    }
    usable = [one for one in found if needed[one.kind] <= one.offsets.keys()]
    if {one.kind for one in usable} != set(EventKind):
        raise EventsUnavailableError("this kernel's tracepoints have no drop reasons, which need Linux 5.17")
    return tuple(usable)
