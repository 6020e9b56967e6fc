"""The difference of two observations, and applying it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from dashboard.core.experiments.messages import encode
from dashboard.core.namespaces.delta import NOTHING, apply, delta
from dashboard.core.namespaces.state import FirewallRules, NamespaceState, Resolver
from tests.core.builders import make_interface, make_listener, make_state
from tests.core.strategies import states


@given(states, states)
def test_applying_a_difference_leads_to_the_later_observation(before: NamespaceState, after: NamespaceState) -> None:
    result = apply(before, delta(before, after))
    assert result == after
    assert encode(result) == encode(after)


@given(states, states)
def test_a_difference_is_empty_exactly_when_nothing_changed(before: NamespaceState, after: NamespaceState) -> None:
    assert bool(delta(before, after)) is (before != after)
    assert delta(before, before) == NOTHING
    assert not delta(after, after)


@given(states, states)
def test_a_difference_applied_twice_does_no_harm(before: NamespaceState, after: NamespaceState) -> None:
    changes = delta(before, after)
    assert apply(apply(before, changes), changes) == after


def test_a_difference_contains_only_what_changed() -> None:
    before = make_state()
    changes = delta(before, replace(before, listeners=(*before.listeners, make_listener(9000, "python3", 7))))
    assert changes.listeners_added == (make_listener(9000, "python3", 7),)
    assert changes == replace(NOTHING, listeners_added=changes.listeners_added)


def test_a_changed_link_is_set_and_not_removed() -> None:
    before = make_state()
    eth0 = before.interfaces[1]
    changes = delta(before, replace(before, interfaces=(before.interfaces[0], replace(eth0, up=False))))
    assert changes.interfaces_set == (replace(eth0, up=False),)
    assert changes.interfaces_removed == ()


def test_a_renamed_link_is_another_one() -> None:
    before = make_state()
    renamed = replace(before.interfaces[1], name="lan0")
    changes = delta(before, replace(before, interfaces=(before.interfaces[0], renamed)))
    assert changes.interfaces_set == (renamed,)
    assert changes.interfaces_removed == (before.interfaces[1],)


def test_a_new_link_with_the_index_of_a_removed_one_is_another_link() -> None:
    before = make_state(interfaces=(make_interface("eth0", 5, mtu=1500),))
    after = make_state(interfaces=(make_interface("eth0", 6, mtu=1500), make_interface("dummy0", 5)))
    assert apply(before, delta(before, after)) == after


def test_a_listener_whose_owner_was_found_later_replaces_the_nameless_one() -> None:
    nameless = make_listener(80, None, None)
    before, after = make_state(listeners=(nameless,)), make_state(listeners=(make_listener(80, "nginx", 4711),))
    changes = delta(before, after)
    assert changes.listeners_removed == (nameless,)
    assert apply(before, changes) == after


def test_an_emptied_field_is_not_confused_with_an_unchanged_one() -> None:
    before = make_state(namespaces={"mnt": 1})
    empty = NamespaceState(before.netns)
    assert apply(before, delta(before, empty)) == empty


def test_a_resolver_that_can_no_longer_be_read_is_removed() -> None:
    before, after = make_state(resolver=Resolver(("192.0.2.1",))), make_state(resolver=None)
    changes = delta(before, after)
    assert changes.resolver_gone
    assert apply(before, changes).resolver is None
    assert apply(after, delta(after, before)) == before


def test_an_unchanged_or_unread_firewall_is_not_written() -> None:
    state = make_state()
    changes = delta(state, replace(state, hostname="other"))
    assert b"firewall" not in encode(state)
    assert b"firewall" not in encode(changes)
    read = replace(state, firewall=FirewallRules())
    assert b'"firewall":{"translations":[],"isolated_bridges":[],"unread":[],' in encode(read)
    assert apply(read, delta(read, state)) == state
