"""dashboard.core.reports.anonymisation.pseudonyms: unique, of the same kind, and never a known address."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.reports.anonymisation.pseudonyms import Pseudonyms, identifies_nothing

NETWORKS = tuple(ipaddress.ip_network(text) for text in ("172.17.0.0/16", "10.1.0.0/16", "fd00:1::/64"))


def make(*known: str) -> Pseudonyms:
    return Pseudonyms(NETWORKS, [ipaddress.ip_address(text) for text in known])


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.53", "127.0.0.53"),
        ("0.0.0.0", "0.0.0.0"),
        ("255.255.255.0", "255.255.255.0"),
        ("224.0.0.251", "224.0.0.251"),
        ("::", "::"),
        ("::1", "::1"),
        ("ff02::1", "ff02::1"),
        ("fe80::", "fe80::"),
        ("172.17.0.0", "198.51.100.0"),
        ("172.17.0.2", "198.51.100.2"),
        ("172.17.255.255", "198.51.100.63"),
        ("10.1.0.1", "192.0.2.1"),
        ("192.168.4.20", "192.0.2.20"),
        ("8.8.8.8", "203.0.113.8"),
        ("100.64.1.1", "192.0.2.1"),
        ("fd00:1::5", "2001:db8:0:1::5"),
        ("fe80::42:acff:fe11:2", "fe80::1"),
        ("::ffff:172.17.0.2", "::ffff:198.51.100.2"),
        ("999.1.1.1", "999.1.1.1"),
        ("12:34:56", "12:34:56"),
    ],
)
def test_an_address_becomes_one_of_its_kind_or_is_kept(text: str, after: str) -> None:
    assert make(text if ":" not in text and "999" not in text else "::1").address(text) == after


def test_networks_get_separate_blocks_and_gateways_keep_their_host_number() -> None:
    made = Pseudonyms([ipaddress.ip_network(f"172.{n}.0.0/16") for n in range(17, 24)], [])
    gateways = [made.address(f"172.{n}.0.1") for n in range(17, 24)]
    assert gateways[:4] == ["198.51.100.1", "198.51.100.65", "198.51.100.129", "198.51.100.193"]
    assert gateways[4:] == ["198.18.0.1", "198.18.0.65", "198.18.0.129"]
    assert made.address("172.17.0.1") == gateways[0]


def test_a_pseudonym_is_never_a_known_address() -> None:
    made = make("192.0.2.1", "10.1.0.1", "2001:db8:0:1::5", "fd00:1::5", "fe80::1", "fe80::9")
    assert made.address("10.1.0.1") == "192.0.2.65"
    assert made.address("fd00:1::5") not in {"2001:db8:0:1::5", "fd00:1::5"}
    assert made.address("fe80::9") == "fe80::2"


@given(st.sets(st.ip_addresses(), max_size=200))
def test_different_addresses_get_different_pseudonyms_that_are_none_of_them(
    addresses: set[ipaddress.IPv4Address],
) -> None:
    made = Pseudonyms(NETWORKS, addresses)
    after = {str(one): made.address(str(one)) for one in addresses}
    assert len(set(after.values())) == len(addresses)
    changed = {
        str(one) for one in addresses if not identifies_nothing(one) and getattr(one, "ipv4_mapped", None) is None
    }
    assert not changed & set(after.values())


def test_networks_beyond_the_documented_ranges_get_pseudonyms_too() -> None:
    made = Pseudonyms([], [])
    texts = [f"{first}.{second}.1.1" for first in (11, 12, 13) for second in range(1000) if second < 256 for _ in "x"]
    texts += [f"20.{second}.{third}.1" for second in range(10) for third in range(256)]
    assert len({made.address(text) for text in texts}) == len(set(texts))


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("02:42:ac:11:00:02", "00:00:5e:00:53:00"),
        ("02:42:AC:11:00:02", "00:00:5E:00:53:00"),
        ("00:00:00:00:00:00", "00:00:00:00:00:00"),
        ("FF:FF:FF:FF:FF:FF", "FF:FF:FF:FF:FF:FF"),
        (":".join(["ab"] * 20), "00:" * 14 + "00:00:5e:00:53:00"),
    ],
)
def test_a_mac_address_becomes_one_for_documentation(text: str, after: str) -> None:
    assert Pseudonyms([], []).mac(text) == after


def test_many_mac_addresses_stay_different() -> None:
    made = Pseudonyms([], [])
    assert len({made.mac(f"02:42:00:00:{n >> 8:02x}:{n & 255:02x}") for n in range(2000)}) == 2000


@pytest.mark.parametrize(
    ("number", "after"),
    [
        (255, "00:00:5e:00:53:ff"),
        (256, "02:00:00:00:01:00"),
        (300, "02:00:00:00:01:2c"),
        (70_000, "02:00:00:01:11:70"),
    ],
)
def test_mac_addresses_beyond_the_documented_ones_are_locally_administered(number: int, after: str) -> None:
    made = Pseudonyms([], [])
    for earlier in range(number):
        made.mac(f"02:42:00:{earlier >> 16:02x}:{earlier >> 8 & 255:02x}:{earlier & 255:02x}")
    assert made.mac("0a:0b:0c:0d:0e:0f") == after
    assert made.mac("0A:0B:0C:0D:0E:0F") == after.upper()


@pytest.mark.parametrize(
    ("network", "address", "after"),
    [
        ("10.1.0.0/16", "10.1.0.62", "192.0.2.62"),
        ("10.1.0.0/16", "10.1.0.63", "192.0.2.63"),
        ("10.1.0.0/16", "10.1.0.64", "192.0.2.63"),
        ("10.1.0.0/16", "10.1.2.7", "192.0.2.63"),
        ("10.1.2.0/24", "10.1.2.7", "192.0.2.7"),
        ("fd00::/64", "fd00::ffff", "2001:db8:0:1::ffff"),
        ("fd00::/64", "fd00::1:0", "2001:db8:0:1:0:0:1:0"),
        ("fd00::/64", "fd00::9:9", "2001:db8:0:1:0:0:1:0"),
    ],
)
def test_a_host_number_is_kept_if_it_fits_into_the_block(network: str, address: str, after: str) -> None:
    made = Pseudonyms([ipaddress.ip_network(network)], [ipaddress.ip_address(address)])
    assert ipaddress.ip_address(made.address(address)) == ipaddress.ip_address(after)


def test_the_smallest_network_of_an_address_counts() -> None:
    networks = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "10.1.2.0/24", "10.1.0.0/16")]
    made = Pseudonyms(networks, [])
    assert [made.address(text) for text in ("10.1.2.3", "10.1.0.3", "10.0.0.3", "10.1.2.4")] == [
        "192.0.2.3",
        "192.0.2.67",
        "192.0.2.131",
        "192.0.2.4",
    ]


def test_a_block_with_a_known_address_is_not_used() -> None:
    made = Pseudonyms([], [ipaddress.ip_address(text) for text in ("192.0.2.0", "192.0.2.127", "203.0.113.128")])
    assert made.address("10.1.0.1") == "192.0.2.129"
    assert [made.address(f"8.8.{number}.1") for number in range(4)] == [
        "203.0.113.1",
        "203.0.113.65",
        "203.0.113.193",
        "198.18.0.1",
    ]


def test_addresses_without_a_known_network_are_grouped_by_24_or_64_bits() -> None:
    made = Pseudonyms([], [])
    assert [made.address(text) for text in ("10.0.0.1", "10.0.0.2", "10.0.1.1")] == [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.65",
    ]
    assert [made.address(text) for text in ("fd00::1", "fd00::2", "fd00:0:0:1::1")] == [
        "2001:db8:0:1::1",
        "2001:db8:0:1::2",
        "2001:db8:0:2::1",
    ]


@pytest.mark.parametrize(
    ("text", "nothing"),
    [("223.255.255.255", False), ("224.0.0.0", True), ("fe80::1", False), ("fe80::", True), ("126.0.0.1", False)],
)
def test_multicast_and_reserved_addresses_identify_nothing(text: str, nothing: bool) -> None:
    assert identifies_nothing(ipaddress.ip_address(text)) is nothing
