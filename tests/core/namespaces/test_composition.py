"""Successive changes as one."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from msgspec import UNSET

from dashboard.core.namespaces.composition import compose, size_of_changes, size_of_state
from dashboard.core.namespaces.delta import NOTHING, apply, delta
from dashboard.core.namespaces.state import DirectDrop, Family, FirewallRules, NamespaceState
from tests.core.builders import make_listener, make_state
from tests.core.strategies import states


@given(states, states, states)
def test_the_joined_change_leads_to_the_last_state_from_both_earlier_ones(
    first: NamespaceState, second: NamespaceState, third: NamespaceState
) -> None:
    joined = compose(delta(first, second), delta(second, third))
    if joined is None:
        assert UNSET in {first.firewall, second.firewall, third.firewall}
        return
    assert apply(first, joined) == third
    assert apply(second, joined) == third


@given(states, states)
def test_a_change_joined_with_no_change_is_unchanged(before: NamespaceState, after: NamespaceState) -> None:
    changes = delta(before, after)
    for joined in (compose(NOTHING, changes), compose(changes, NOTHING)):
        assert joined is None or apply(before, joined) == after


def test_a_socket_that_opens_and_closes_stays_removed_for_readers_of_the_first_change() -> None:
    before = make_state()
    during = replace(before, listeners=(*before.listeners, make_listener(9000, "python3", 7)))
    joined = compose(delta(before, during), delta(during, before))
    assert joined == replace(NOTHING, listeners_removed=(make_listener(9000, "python3", 7),))
    assert apply(before, joined) == apply(during, joined) == before


def test_rules_that_are_no_longer_read_need_the_whole_state() -> None:
    read = make_state(firewall=FirewallRules())
    unread = replace(read, firewall=UNSET)
    assert compose(delta(read, unread), delta(unread, read)) is None


def test_sizes_count_items() -> None:
    state = make_state()
    assert size_of_changes(NOTHING) == 0
    assert size_of_state(NamespaceState(1)) == 0
    listeners = tuple(make_listener(port, "python3", 7) for port in range(9000, 9010))
    assert size_of_changes(delta(state, replace(state, listeners=(*state.listeners, *listeners)))) == 10
    assert size_of_state(replace(state, listeners=listeners)) >= 10
    sysctls = {f"net.ipv4.conf.eth{number}.forwarding": "1" for number in range(10)}
    forwarding = replace(state, sysctls={**state.sysctls, **sysctls})
    assert size_of_changes(delta(state, forwarding)) == size_of_changes(delta(forwarding, state)) == 10
    drops = tuple(DirectDrop(Family.INET, f"172.17.0.{end}") for end in range(10))
    dropping = replace(state, firewall=FirewallRules(direct_drops=drops))
    assert size_of_changes(delta(replace(state, firewall=FirewallRules()), dropping)) == 10
    assert size_of_state(dropping) == size_of_state(state) + 10
