"""What a watch sees of one namespace, and how to say in a few words what changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from dashboard.core.namespaces.state import Interface, Listener, Route

_MOST_CAUSES = 3


@dataclass(frozen=True, slots=True)
class KernelView:
    """Interfaces, routes, listeners and sysctls at one instant, in canonical order."""

    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()
    listeners: tuple[Listener, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)


def say_cause(before: KernelView, after: KernelView) -> str:
    """What differs, most important first: ``link eth0``, ``address eth0, route``, ``listener tcp :80``,
    ``sysctl``; empty if nothing does. At most three, then an ellipsis."""
    causes = list(dict.fromkeys(_causes(before, after)))
    if len(causes) > _MOST_CAUSES:
        causes = [*causes[:_MOST_CAUSES], "…"]
    return ", ".join(causes)


def _causes(before: KernelView, after: KernelView) -> Iterator[str]:
    if before.interfaces != after.interfaces:
        yield from _interface_causes(before.interfaces, after.interfaces)
    if before.routes != after.routes:
        yield "route"
    if before.listeners != after.listeners:
        for one in sorted(frozenset(before.listeners) ^ frozenset(after.listeners), key=_place):
            yield f"listener {one.protocol} :{one.port}"
    if before.sysctls != after.sysctls:
        yield "sysctl"


def _place(listener: Listener) -> tuple[str, int]:
    return (listener.protocol, listener.port)


def _interface_causes(before: tuple[Interface, ...], after: tuple[Interface, ...]) -> Iterator[str]:
    past = {one.index: one for one in before}
    now = {one.index: one for one in after}
    addresses: list[str] = []
    for index in sorted(past.keys() | now.keys()):
        old, new = past.get(index), now.get(index)
        if old is new or old == new:
            continue
        if old is None or new is None or replace(old, addresses=()) != replace(new, addresses=()):
            yield f"link {(new or old).name}"  # type: ignore[union-attr]  # one of the two exists
        else:
            addresses.append(f"address {new.name}")
    yield from addresses
