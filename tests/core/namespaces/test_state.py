"""Observations in canonical order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.namespaces.state import NamespaceState, Protocol, listener_key, sorted_state
from tests.core.builders import (
    MACHINE_NETNS,
    make_address,
    make_interface,
    make_listener,
    make_loopback,
    make_route,
    make_state,
    shuffled,
)
from tests.core.strategies import observations


@given(observations, st.data())
def test_two_equal_observations_are_equal_values_in_whatever_order_they_came(
    seen: NamespaceState, data: st.DataObject
) -> None:
    one, other = sorted_state(seen), sorted_state(shuffled(seen, data.draw))
    assert one == other
    assert list(one.sysctls) == list(other.sysctls)


@given(observations)
def test_ordering_twice_changes_nothing_and_loses_nothing(seen: NamespaceState) -> None:
    once = sorted_state(seen)
    assert sorted_state(once) == once
    assert set(once.listeners) == set(seen.listeners)
    assert set(once.routes) == set(seen.routes)
    assert {one.name for one in once.interfaces} == {one.name for one in seen.interfaces}


def test_an_object_that_was_observed_twice_is_kept_once() -> None:
    address = make_address()
    link = make_interface(addresses=(address, address))
    state = sorted_state(
        NamespaceState(
            MACHINE_NETNS,
            interfaces=(link, link),
            routes=(make_route(), make_route()),
            listeners=(make_listener(), make_listener()),
        )
    )
    assert state.interfaces == (replace(link, addresses=(address,)),)
    assert state.routes == (make_route(),)
    assert state.listeners == (make_listener(),)


def test_links_stand_in_the_order_of_their_indexes() -> None:
    state = make_state(interfaces=(make_interface("eth0", 10), make_loopback(), make_interface("a", 9)))
    assert [one.name for one in state.interfaces] == ["lo", "a", "eth0"]


@pytest.mark.parametrize(
    "other",
    [
        {"pid": 4712},
        {"address": "127.0.0.1"},
        {"protocol": Protocol.UDP},
        {"interface": "eth0"},
        {"v6only": True},
    ],
)
def test_sockets_that_share_a_port_are_distinguished_in_the_state(other: dict[str, Any]) -> None:
    assert listener_key(make_listener()) != listener_key(make_listener(**other))


def test_owners_decide_where_two_sockets_have_one_address() -> None:
    known, unknown = make_listener(80, "nginx", None, container="f0" * 32), make_listener(80, "nginx", None)
    assert make_state(listeners=(known, unknown)) == make_state(listeners=(unknown, known))
