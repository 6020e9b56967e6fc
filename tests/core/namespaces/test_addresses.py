"""Addresses as text, and primary addresses."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.core.namespaces.addresses import address_of, bracket, primary_addresses
from tests.core.builders import make_interface, make_loopback, make_route, make_state


@pytest.mark.parametrize(
    ("fields", "addresses"),
    [
        ({}, ("192.0.2.2",)),
        ({"routes": ()}, ("192.0.2.2",)),
        (
            {
                "interfaces": (
                    make_interface(addresses=("10.0.0.5/24",)),
                    make_interface("eth1", 3, addresses=("192.0.2.2/24",)),
                ),
                "routes": (make_route(gateway="10.0.0.1", metric=20100), make_route(interface="eth1", metric=100)),
            },
            ("192.0.2.2",),
        ),
        ({"routes": (make_route(interface="lo"),)}, ()),
        ({"routes": (make_route(interface="gone"),)}, ()),
        ({"interfaces": (make_loopback(),), "routes": ()}, ()),
        ({"interfaces": (make_interface("docker0", 3, "bridge", addresses=("172.17.0.1/16",)),), "routes": ()}, ()),
    ],
)
def test_primary_addresses_are_those_of_the_interface_with_the_default_route(
    fields: dict[str, Any], addresses: tuple[str, ...]
) -> None:
    assert primary_addresses(make_state(**fields)) == addresses


@pytest.mark.parametrize(
    ("address", "text"), [("192.0.2.2", "192.0.2.2"), ("::", "[::]"), ("2001:db8::2", "[2001:db8::2]")]
)
def test_an_ipv6_address_is_bracketed_before_a_port(address: str, text: str) -> None:
    assert bracket(address) == text


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [("192.0.2.1:80", "192.0.2.1"), ("[2001:db8::1]:80", "2001:db8::1"), ("", ""), ("192.0.2.1", "")],
)
def test_the_address_of_an_endpoint_has_no_port_and_no_brackets(endpoint: str, address: str) -> None:
    assert address_of(endpoint) == address
