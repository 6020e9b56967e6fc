"""The hosts file."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.namespaces.hosts_file import is_address, parse_hosts
from dashboard.core.namespaces.state import HostsEntry


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("127.0.0.1 localhost", (HostsEntry("127.0.0.1", ("localhost",)),)),
        ("\t127.0.0.1\tlocalhost  box # both\r\n", (HostsEntry("127.0.0.1", ("localhost", "box")),)),
        (
            "::1 localhost\nfe80::1%eth0 gate",
            (HostsEntry("::1", ("localhost",)), HostsEntry("fe80::1%eth0", ("gate",))),
        ),
        ("# 127.0.0.1 localhost\n#x\n\n   \n", ()),
        ("127.0.0.1", ()),
        ("127.0.0.1 # localhost", ()),
        ("127.0.0.1#x localhost", ()),
        ("localhost 127.0.0.1", ()),
        ("256.0.0.1 x", ()),
        ("192.0.2.1 a\n192.0.2.1 b", (HostsEntry("192.0.2.1", ("a",)), HostsEntry("192.0.2.1", ("b",)))),
    ],
)
def test_a_hosts_file_is_read_as_the_c_library_reads_it(text: str, expected: tuple[HostsEntry, ...]) -> None:
    assert parse_hosts(text) == expected


def test_the_numbers_of_entries_and_names_are_limited() -> None:
    read = parse_hosts(f"192.0.2.1 {'x ' * 1000}\n" * 20_000)
    assert len(read) == 10_000
    assert len(read[0].names) == 64


@given(st.text() | st.text(alphabet=st.sampled_from("127.0:f# \t\r\n\x00aé%")))
def test_any_text_is_read(text: str) -> None:
    for entry in parse_hosts(text):
        ipaddress.ip_address(entry.address)
        assert entry.names
        assert all(name and "#" not in name for name in entry.names)


@pytest.mark.parametrize("text", ["", "1", "1.2.3", "0x7f.1", "localhost", "::g", "1.2.3.4/8", "fe80::1%"])
def test_texts_that_are_not_addresses_are_recognised(text: str) -> None:
    assert not is_address(text)
