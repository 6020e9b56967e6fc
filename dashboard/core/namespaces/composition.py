"""Combines two successive changes of a column into one.

Applying ``compose(delta(a, b), delta(b, c))`` to ``a`` gives ``c``, and applying it to ``b`` also gives ``c``. So a
reader that has already applied the first change may apply the combined one.
"""

from collections.abc import Callable
from typing import Any

from msgspec import UNSET, UnsetType

from dashboard.core.namespaces.delta import Changes, FirewallChanges, listener_identity
from dashboard.core.namespaces.state import FirewallRules, NamespaceState, interface_key, route_key


def compose(first: Changes, second: Changes) -> Changes | None:
    """Returns one change with the effect of both. None if one of them made the rules of the firewall unreadable: then
    only the complete state can replace the changes."""
    firewall = _compose_firewall(first.firewall, second.firewall)
    if firewall is not UNSET and not isinstance(firewall, FirewallChanges):
        return None
    links = _last(
        interface_key,
        (first.interfaces_removed, first.interfaces_set),
        (second.interfaces_removed, second.interfaces_set),
    )
    routes = _last(route_key, (first.routes_removed, first.routes_added), (second.routes_removed, second.routes_added))
    listeners = _last(
        listener_identity,
        (first.listeners_removed, first.listeners_added),
        (second.listeners_removed, second.listeners_added),
    )
    set_, unset = dict(first.sysctls_set or {}), dict.fromkeys(first.sysctls_removed)
    for name in second.sysctls_removed:
        set_.pop(name, None)
        unset[name] = None
    for name, value in (second.sysctls_set or {}).items():
        set_[name] = value
        unset.pop(name, None)
    resolver = second if second.resolver is not None or second.resolver_gone else first
    return Changes(
        netns=_newer(first.netns, second.netns),
        hostname=_newer(first.hostname, second.hostname),
        namespaces=_newer(first.namespaces, second.namespaces),
        interfaces_removed=links[0],
        interfaces_set=links[1],
        routes_removed=routes[0],
        routes_added=routes[1],
        listeners_removed=listeners[0],
        listeners_added=listeners[1],
        resolver=resolver.resolver,
        resolver_gone=resolver.resolver_gone,
        hosts=_newer(first.hosts, second.hosts),
        sysctls_set=set_ or None,
        sysctls_removed=tuple(unset),
        lookups=_newer(first.lookups, second.lookups),
        firewall=firewall,
    )


def _newer[T](first: T | None, second: T | None) -> T | None:
    return first if second is None else second


def _last[T](
    key: Callable[[T], Any], *changes: tuple[tuple[T, ...], tuple[T, ...]]
) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """Combines successive changes into one. A change is a pair (removed items, set items), and ``key`` identifies an
    item. If several changes contain an item, the last one decides."""
    removed: dict[Any, T] = {}
    present: dict[Any, T] = {}
    for gone, new in changes:
        for item in gone:
            present.pop(key(item), None)
            removed[key(item)] = item
        for item in new:
            removed.pop(key(item), None)
            present[key(item)] = item
    return tuple(removed.values()), tuple(present.values())


def _compose_firewall(
    first: FirewallChanges | UnsetType | None, second: FirewallChanges | UnsetType | None
) -> FirewallChanges | UnsetType | None:
    if isinstance(second, UnsetType):
        return first
    if isinstance(first, UnsetType):
        return second
    if first is None or second is None:
        return None
    removed, added = _last(lambda rule: rule, (first.removed, first.added), (second.removed, second.added))
    gone, drops = _last(
        lambda drop: drop, (first.drops_removed, first.drops_added), (second.drops_removed, second.drops_added)
    )
    return FirewallChanges(
        added=added,
        removed=removed,
        isolated_bridges=_newer(first.isolated_bridges, second.isolated_bridges),
        unread=_newer(first.unread, second.unread),
        drops_added=drops,
        drops_removed=gone,
        closed_bridges=_newer(first.closed_bridges, second.closed_bridges),
    )


def size_of_changes(changes: Changes) -> int:
    """Returns how many items a change contains: links, routes, listeners, sysctls and firewall rules. If the number is
    above ``size_of_state``, the complete state is shorter than the change."""
    lists = (
        changes.interfaces_set,
        changes.interfaces_removed,
        changes.routes_added,
        changes.routes_removed,
        changes.listeners_added,
        changes.listeners_removed,
        changes.sysctls_set or (),
        changes.sysctls_removed,
    )
    rules = changes.firewall if isinstance(changes.firewall, FirewallChanges) else FirewallChanges()
    return sum(map(len, (*lists, rules.added, rules.removed, rules.drops_added, rules.drops_removed)))


def size_of_state(state: NamespaceState) -> int:
    """Returns the number of links, routes, listeners, sysctls and firewall rules in a state."""
    rules = FirewallRules() if isinstance(state.firewall, UnsetType) else state.firewall
    lists = (state.interfaces, state.routes, state.listeners, state.sysctls, rules.translations, rules.direct_drops)
    return sum(map(len, lists))
