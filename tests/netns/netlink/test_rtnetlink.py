"""Decoding of links, addresses and routes: recorded messages, unusual ones, and bytes that no kernel sends."""

from __future__ import annotations

import contextlib
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.namespaces.state import Address, Family
from dashboard.netns.netlink.framing import MalformedMessage, pack_attribute
from dashboard.netns.netlink.rtnetlink import RouteRecord, decode_address, decode_link, decode_name, decode_route


def _u32(value: int) -> bytes:
    return struct.pack("=I", value)


def _link(*attributes: tuple[int, bytes], index: int = 7, family: int = 0, hardware: int = 1, flags: int = 1) -> bytes:
    head = struct.pack("=BxHiII", family, hardware, index, flags, 0)
    return head + b"".join(pack_attribute(kind, value) for kind, value in attributes)


def _route(*attributes: tuple[int, bytes], family: int = 2, length: int = 0, table: int = 254, kind: int = 1) -> bytes:
    head = struct.pack("=BBBBBBBBI", family, length, 0, 0, table, 0, 0, kind, 0)
    return head + b"".join(pack_attribute(one, value) for one, value in attributes)


NAME = (3, b"eth0\0")


def test_a_vlan_is_read() -> None:
    """Not every kernel that runs these tests can create a VLAN: this is a message as the kernel sends it."""
    info = pack_attribute(1, b"vlan\0") + pack_attribute(2, pack_attribute(1, b"\7\0"))
    link = decode_link(
        _link((3, b"eth0.7\0"), (1, bytes.fromhex("02420a000001")), (4, _u32(1496)), (5, _u32(2)), (18, info))
    )
    assert link is not None
    assert (link.name, link.kind, link.mac, link.mtu, link.lower) == ("eth0.7", "vlan", "02:42:0a:00:00:01", 1496, 2)
    assert link.lower_nsid is None


@pytest.mark.parametrize(
    ("hardware", "raw", "expected"),
    [
        (1, "02420a000001", "02:42:0a:00:00:01"),
        (772, "000000000000", "00:00:00:00:00:00"),
        (768, "c0000201", "192.0.2.1"),
        (776, "c0000201", "192.0.2.1"),
        (769, "20010db8000000000000000000000001", "2001:db8::1"),
        (65534, "", ""),
    ],
)
def test_a_hardware_address_is_shown_as_ip_shows_it(hardware: int, raw: str, expected: str) -> None:
    link = decode_link(_link(NAME, (1, bytes.fromhex(raw)), hardware=hardware))
    assert link is not None
    assert link.mac == expected


def test_a_message_of_the_bridge_about_its_port_is_not_about_the_link() -> None:
    assert decode_link(_link(NAME, family=socket.AF_BRIDGE if hasattr(socket, "AF_BRIDGE") else 7)) is None


def test_a_partial_message_of_a_wireless_driver_is_not_about_the_link() -> None:
    assert decode_link(_link(NAME, (11, b"\0" * 8))) is None


def test_a_link_that_is_its_own_lower_link_has_none() -> None:
    link = decode_link(_link(NAME, (5, _u32(7))))
    assert link is not None
    assert link.lower == 0


@pytest.mark.parametrize(
    "body", [b"", b"\0" * 15, _link(), _link(NAME, index=0), _link(NAME, (4, b"\1")), _link(NAME) + b"\2\0\0\0"]
)
def test_a_malformed_link_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_link(body)


def test_an_address_of_a_point_to_point_link_is_the_local_end() -> None:
    body = struct.pack("=BBBBI", 2, 30, 0, 0, 5)
    body += pack_attribute(1, socket.inet_aton("10.0.0.9")) + pack_attribute(2, socket.inet_aton("10.0.0.1"))
    record = decode_address(body)
    assert record is not None
    assert (record.index, record.address) == (5, Address("10.0.0.1", 30, Family.INET))


def test_an_unknown_scope_is_a_number() -> None:
    record = decode_address(struct.pack("=BBBBI", 2, 32, 0, 99, 1) + pack_attribute(1, b"\x0a\0\0\1"))
    assert record is not None
    assert record.address.scope == "99"


def test_addresses_of_other_families_are_ignored() -> None:
    assert decode_address(struct.pack("=BBBBI", 45, 0, 0, 0, 1)) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (_route((4, _u32(2))), [RouteRecord(Family.INET, "default", None, 2, None, None)]),
        (
            _route((1, b"\x0a\0\0\0"), (4, _u32(2)), (6, _u32(9)), (7, b"\x0a\0\0\1"), length=8),
            [RouteRecord(Family.INET, "10.0.0.0/8", None, 2, "10.0.0.1", 9)],
        ),
        (
            _route((4, _u32(2)), (18, struct.pack("=H", 10) + socket.inet_pton(10, "fe80::1"))),
            [RouteRecord(Family.INET, "default", "fe80::1", 2, None, None)],
        ),
        (_route((4, _u32(2)), (15, _u32(1000)), table=252), []),
        (_route((4, _u32(2)), (15, _u32(254)), table=252), [RouteRecord(Family.INET, "default", None, 2, None, None)]),
        (_route((4, _u32(2)), kind=6), []),
        (_route((4, _u32(2)), family=28), []),
        (_route(length=32, table=255, kind=2), []),
    ],
)
def test_routes_of_the_main_table_are_read(body: bytes, expected: list[RouteRecord]) -> None:
    assert list(decode_route(body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"\0" * 11,
        _route((1, b"\x0a\0\0"), length=8),
        _route((5, b"\1" * 16)),
        _route((9, struct.pack("=HBBi", 3, 0, 0, 1))),
        _route((18, struct.pack("=H", 10) + b"\1\2\3\4")),
    ],
)
def test_a_malformed_route_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_route(body)


_ATTRIBUTES = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 15, 18, 37]), st.binary(max_size=24)), max_size=6
)


@given(st.binary(max_size=80))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    for decode in (decode_link, decode_address, decode_route):
        with contextlib.suppress(MalformedMessage):
            decode(body)


@given(st.sampled_from([0, 2, 10]), st.integers(0, 255), _ATTRIBUTES)
def test_any_attributes_are_decoded_or_refused(family: int, length: int, attributes: list[tuple[int, bytes]]) -> None:
    body = _link(*attributes, family=family)
    address = struct.pack("=BBBBI", family, length, 0, 0, 1) + body[16:]
    for decode, data in ((decode_link, body), (decode_address, address)):
        with contextlib.suppress(MalformedMessage):
            decode(data)
    with contextlib.suppress(MalformedMessage):
        decode_route(_route(*attributes, family=family, length=length))


@given(st.binary(max_size=20))
def test_any_name_can_be_shown(raw: bytes) -> None:
    decode_name(raw).encode("utf-8")
