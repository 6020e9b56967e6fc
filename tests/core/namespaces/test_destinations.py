"""Sets of destination addresses with conditions."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from dashboard.core.namespaces.destinations import MAX_CONDITIONS, Destinations

LAN, HOST, OTHER = ip_network("192.0.2.0/24"), ip_network("192.0.2.2/32"), ip_network("198.51.100.0/24")


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        (Destinations(), HOST, Destinations(HOST)),
        (Destinations(LAN), HOST, Destinations(HOST)),
        (Destinations(HOST), LAN, Destinations(HOST)),
        (Destinations(LAN), OTHER, None),
        (Destinations(None, (LAN,)), HOST, None),
        (Destinations(None, (HOST,)), LAN, Destinations(LAN, (HOST,))),
        (Destinations(None, (OTHER,)), LAN, Destinations(LAN)),
        (Destinations(LAN), ip_network("2001:db8::/64"), None),
    ],
)
def test_a_network_restricts_a_set(outer: Destinations, inner: object, expected: Destinations | None) -> None:
    assert outer.within(inner, ()) == expected  # type: ignore[arg-type]


def test_a_set_keeps_its_conditions_once_and_only_the_first_ones() -> None:
    one = Destinations().only_if("a").only_if("").only_if("a")
    assert one.conditions == ("a",)
    within = one.within(LAN, ())
    assert within is not None
    assert within.conditions == ("a",)
    for number in range(MAX_CONDITIONS + 3):
        one = one.only_if(str(number))
    assert len(one.conditions) == MAX_CONDITIONS
