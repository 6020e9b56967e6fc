"""Computes the changes between two states of a column, and applies them.

``apply(old, delta(old, new)) == new`` for any two states in canonical order. So a replay shows exactly what was
observed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from msgspec import UNSET, UnsetType

from dashboard.core.namespaces.state import (
    ClosedBridge,
    DirectDrop,
    FirewallRules,
    HostsEntry,
    Interface,
    IsolatedBridge,
    Listener,
    Lookup,
    NamespaceState,
    Resolver,
    Route,
    Translation,
    UnreadRules,
    interface_key,
    listener_key,
    route_key,
    sorted_interfaces,
    sorted_listeners,
    sorted_routes,
    sorted_rules,
)


@dataclass(frozen=True, slots=True)
class FirewallChanges:
    """The changes of the firewall's rules. ``added`` and ``removed`` are address translations. ``drops_added`` and
    ``drops_removed`` are direct drops (``DirectDrop``). All remaining fields replace the fields of ``FirewallRules``
    with the same names, unless they are None."""

    added: tuple[Translation, ...] = ()
    removed: tuple[Translation, ...] = ()
    isolated_bridges: tuple[IsolatedBridge, ...] | None = None
    unread: tuple[UnreadRules, ...] | None = None
    drops_added: tuple[DirectDrop, ...] = ()
    drops_removed: tuple[DirectDrop, ...] = ()
    closed_bridges: tuple[ClosedBridge, ...] | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes between two states.

    A field that is None changes nothing, except ``firewall``. In the fields ``…_set``, ``…_added`` and ``…_removed``,
    an empty tuple changes nothing, either. ``namespaces``, ``hosts`` and ``lookups`` replace the previous values, even
    by empty ones. A changed interface is in ``interfaces_set``, under the same index and name. ``firewall`` is UNSET if
    it is unchanged, and None if it can no longer be read.
    """

    netns: int | None = None
    hostname: str | None = None
    namespaces: dict[str, int] | None = None
    interfaces_set: tuple[Interface, ...] = ()
    interfaces_removed: tuple[Interface, ...] = ()
    routes_added: tuple[Route, ...] = ()
    routes_removed: tuple[Route, ...] = ()
    listeners_added: tuple[Listener, ...] = ()
    listeners_removed: tuple[Listener, ...] = ()
    resolver: Resolver | None = None
    resolver_gone: bool = False
    hosts: tuple[HostsEntry, ...] | None = None
    sysctls_set: dict[str, str] | None = None
    sysctls_removed: tuple[str, ...] = ()
    lookups: tuple[Lookup, ...] | None = None
    firewall: FirewallChanges | UnsetType | None = UNSET

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return self != NOTHING


NOTHING = Changes()


def _minus[T](left: Iterable[T], right: Iterable[T]) -> tuple[T, ...]:
    known = set(right)
    return tuple(item for item in left if item not in known)


def _changed[T](before: T, after: T) -> T | None:
    return None if before == after else after


def delta(before: NamespaceState, after: NamespaceState) -> Changes:
    """Returns the changes from ``before`` to ``after``; ``bool()`` of them is False if the states are equal."""
    kept = {interface_key(interface) for interface in after.interfaces}
    sysctls = {name: value for name, value in after.sysctls.items() if before.sysctls.get(name) != value}
    return Changes(
        netns=_changed(before.netns, after.netns),
        hostname=_changed(before.hostname, after.hostname),
        namespaces=_changed(before.namespaces, after.namespaces),
        interfaces_set=_minus(after.interfaces, before.interfaces),
        interfaces_removed=tuple(interface for interface in before.interfaces if interface_key(interface) not in kept),
        routes_added=_minus(after.routes, before.routes),
        routes_removed=_minus(before.routes, after.routes),
        listeners_added=_minus(after.listeners, before.listeners),
        listeners_removed=_minus(before.listeners, after.listeners),
        resolver=_changed(before.resolver, after.resolver),
        resolver_gone=before.resolver is not None and after.resolver is None,
        hosts=_changed(before.hosts, after.hosts),
        sysctls_set=sysctls or None,
        sysctls_removed=tuple(name for name in before.sysctls if name not in after.sysctls),
        lookups=_changed(before.lookups, after.lookups),
        firewall=_firewall_changes(before.firewall, after.firewall),
    )


def _firewall_changes(
    before: FirewallRules | UnsetType, after: FirewallRules | UnsetType
) -> FirewallChanges | UnsetType | None:
    if before == after:
        return UNSET
    if isinstance(after, UnsetType):
        return None
    old = FirewallRules() if isinstance(before, UnsetType) else before
    return FirewallChanges(
        added=_minus(after.translations, old.translations),
        removed=_minus(old.translations, after.translations),
        isolated_bridges=_changed(old.isolated_bridges, after.isolated_bridges),
        unread=_changed(old.unread, after.unread),
        drops_added=_minus(after.direct_drops, old.direct_drops),
        drops_removed=_minus(old.direct_drops, after.direct_drops),
        closed_bridges=_changed(old.closed_bridges, after.closed_bridges),
    )


def _apply_firewall(
    rules: FirewallRules | UnsetType, changes: FirewallChanges | UnsetType | None
) -> FirewallRules | UnsetType:
    if isinstance(changes, UnsetType):
        return rules
    if changes is None:
        return UNSET
    old = FirewallRules() if isinstance(rules, UnsetType) else rules
    removed, gone = set(changes.removed), set(changes.drops_removed)
    kept = (translation for translation in old.translations if translation not in removed)
    return FirewallRules(
        sorted_rules((*kept, *changes.added)),
        old.isolated_bridges if changes.isolated_bridges is None else changes.isolated_bridges,
        old.unread if changes.unread is None else changes.unread,
        sorted_rules((*(drop for drop in old.direct_drops if drop not in gone), *changes.drops_added)),
        old.closed_bridges if changes.closed_bridges is None else changes.closed_bridges,
    )


def _replace[T](
    items: tuple[T, ...], removed: tuple[T, ...], new: tuple[T, ...], key: Callable[[T], Any]
) -> tuple[T, ...]:
    dropped = {key(one) for one in removed} | {key(one) for one in new}
    return tuple(item for item in items if key(item) not in dropped) + new


def apply(state: NamespaceState, changes: Changes) -> NamespaceState:
    """Returns the state after the changes, in canonical order if ``state`` is. Unchanged fields remain the same
    objects."""
    updates: dict[str, Any] = {
        name: value
        for name in ("netns", "hostname", "resolver", "hosts", "lookups")
        if (value := getattr(changes, name)) is not None
    }
    if changes.resolver_gone:
        updates["resolver"] = None
    if changes.namespaces is not None:
        updates["namespaces"] = dict(sorted(changes.namespaces.items()))
    if changes.interfaces_set or changes.interfaces_removed:
        links = _replace(state.interfaces, changes.interfaces_removed, changes.interfaces_set, interface_key)
        updates["interfaces"] = sorted_interfaces(links)
    if changes.routes_added or changes.routes_removed:
        updates["routes"] = sorted_routes(
            _replace(state.routes, changes.routes_removed, changes.routes_added, route_key)
        )
    if changes.listeners_added or changes.listeners_removed:
        listeners = _replace(state.listeners, changes.listeners_removed, changes.listeners_added, listener_identity)
        updates["listeners"] = sorted_listeners(listeners)
    if changes.sysctls_set or changes.sysctls_removed:
        kept = {name: value for name, value in state.sysctls.items() if name not in changes.sysctls_removed}
        updates["sysctls"] = dict(sorted({**kept, **(changes.sysctls_set or {})}.items()))
    if changes.firewall is not UNSET:
        updates["firewall"] = _apply_firewall(state.firewall, changes.firewall)
    return replace(state, **updates)


def listener_identity(item: Listener) -> Any:
    """Returns what identifies a listener in changes: its socket, process and container."""
    return (listener_key(item), item.process, item.container)
