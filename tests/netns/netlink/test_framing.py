"""Netlink framing, including bytes that no kernel sends."""

from __future__ import annotations

import errno
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink import framing as netlink_framing
from dashboard.netns.netlink.framing import (
    MalformedMessage,
    dump,
    open_socket,
    pack_attribute,
    pack_message,
    query,
    raise_refusal,
    receive,
    request,
    split_attributes,
    split_messages,
)
from dashboard.netns.netlink.rtnetlink import (
    ADDRESSES_REQUEST,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_NEWADDR,
    pack_link_request,
)
from tests.netns.namespaces import Netns


def test_messages_are_split_as_they_were_packed() -> None:
    data = pack_message(16, 2, 7, b"abcd") + pack_message(3, 0, 8, b"")
    assert list(split_messages(data)) == [(16, 2, 7, b"abcd"), (3, 0, 8, b"")]


def test_attributes_are_padded_and_split() -> None:
    data = b"head" + pack_attribute(3, b"eth0\0") + pack_attribute(0x8000 | 18, b"")
    assert split_attributes(data, 4) == {3: b"eth0\0", 18: b""}


@pytest.mark.parametrize(
    "data", [b"x", b"\x10\0\0\0" * 3, b"\0" * 16, b"\xff" * 20, pack_message(1, 0, 0, b"abcd")[:-1]]
)
def test_a_length_beyond_the_datagram_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        list(split_messages(data))


@pytest.mark.parametrize("data", [b"\3\0\1\0", b"\0\0\0\0", b"\x09\0\1\0abcd"])
def test_an_attribute_beyond_its_message_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        split_attributes(data)


@given(st.binary())
def test_any_bytes_are_split_or_refused(data: bytes) -> None:
    try:
        for message in split_messages(data):
            split_attributes(message.body)
    except MalformedMessage:
        pass


@given(st.binary(max_size=40), st.integers(0, 50))
def test_any_attributes_are_split_or_refused(data: bytes, offset: int) -> None:
    try:
        found = split_attributes(data, offset)
    except MalformedMessage:
        return
    assert sum(len(value) + 4 for value in found.values()) <= max(0, len(data) - offset)


def test_a_refusal_carries_the_kernel_s_error_number() -> None:
    raise_refusal(b"\0\0\0\0")
    with pytest.raises(OSError, match="No such device") as refusal:
        raise_refusal((-errno.ENODEV).to_bytes(4, "little", signed=True))
    assert refusal.value.errno == errno.ENODEV
    with pytest.raises(MalformedMessage):
        raise_refusal(b"\0")


def test_a_dump_is_repeated_when_the_kernel_says_that_it_was_interrupted(
    netns: Netns, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    def collect(
        opened: socket.socket, sequence: int, real: object = netlink_framing._collect
    ) -> tuple[list[object], bool]:
        messages, _ = real(opened, sequence)  # type: ignore[operator]
        sent.append(sequence)
        return messages, sequence < 3

    monkeypatch.setattr(netlink_framing, "_collect", collect)
    with namespace.run(lambda: open_socket(socket.NETLINK_ROUTE)) as opened:
        messages = dump(opened, RTM_GETADDR, ADDRESSES_REQUEST)
    assert sent == [1, 2, 3]
    assert [message.type for message in messages] == [RTM_NEWADDR] * 2


def test_a_refused_request_leaves_the_socket_usable(netns: Netns, namespace: Namespace) -> None:
    with namespace.run(lambda: open_socket(socket.NETLINK_ROUTE)) as opened:
        with pytest.raises(OSError, match="No such device"):
            query(opened, RTM_GETLINK, pack_link_request(4711))
        with pytest.raises(OSError, match=r"Invalid|not supported"):
            request(opened, 999, 0, b"")
        assert len(query(opened, RTM_GETLINK, pack_link_request(1))) == 1
        with pytest.raises(BlockingIOError):
            receive(opened)


def test_messages_from_processes_are_dropped() -> None:
    with open_socket(socket.NETLINK_ROUTE) as ours, open_socket(socket.NETLINK_ROUTE) as theirs:
        port = ours.getsockname()[0]
        try:
            theirs.sendto(pack_message(16, 0, 0, b"forged"), (port, 0))
        except PermissionError:
            assert os.geteuid() != 0
        with pytest.raises(BlockingIOError):
            receive(ours)
