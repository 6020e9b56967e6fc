"""What happened, in words: one short sentence for the timeline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dashboard.core.namespaces.delta import Changes
from dashboard.core.namespaces.links import is_cable
from dashboard.core.namespaces.state import Interface, Listener, NamespaceState, interface_key

SHOWN = 3


def _list(parts: Sequence[str]) -> str:
    if len(parts) > SHOWN:
        return f"{', '.join(parts[:SHOWN])} and {len(parts) - SHOWN} more"
    return ", ".join(parts)


def _interface(before: Interface | None, after: Interface) -> str:
    if before is None:
        text = f"interface {after.name} appears"
        addresses = [f"{a.address}/{a.prefix}" for a in after.addresses if a.scope != "link"]
        return f"{text} with {_list(addresses)}" if addresses else text
    new = [f"{a.address}/{a.prefix}" for a in after.addresses if a not in before.addresses]
    gone = [f"{a.address}/{a.prefix}" for a in before.addresses if a not in after.addresses]
    parts = []
    if new:
        parts.append(f"{after.name} gets {_list(new)}")
    if gone:
        parts.append(f"{after.name} loses {_list(gone)}")
    if before.up != after.up:
        parts.append(f"{after.name} goes {'up' if after.up else 'down'}")
    if before.mtu != after.mtu:
        parts.append(f"{after.name}: MTU {before.mtu} becomes {after.mtu}")
    if before.master != after.master:
        parts.append(f"{after.name} joins bridge {after.master}" if after.master else f"{after.name} leaves its bridge")
    return ", ".join(parts) or f"{after.name} changes"


def _ports(listeners: Iterable[Listener], verb: str) -> list[str]:
    seen: dict[tuple[str, str, int], None] = {}
    for one in listeners:
        seen.setdefault((one.process or "a process", one.protocol, one.port))
    return [
        f"{process} {verb} {'' if protocol == 'tcp' else protocol + ' '}:{port}" for process, protocol, port in seen
    ]


def _places(titles: Sequence[str]) -> str:
    arms = [title for title in titles if title != "this machine"]
    if not arms:
        return "on this machine"
    text = f"in {' and '.join(arms)}"
    return f"{text}, and so on this machine" if len(arms) != len(titles) else text


def describe_changes(before: NamespaceState, changes: Changes, titles: Sequence[str]) -> str:
    """The changes of one namespace as a sentence; empty where they mean nothing to a person.

    ``titles`` are the columns that live in it. A listener whose owner was found a moment later,
    and routes that come with an address, are not told.
    """
    known = {interface_key(one): one for one in before.interfaces}
    parts: list[str] = []
    for one in changes.interfaces_set:
        old = known.get(interface_key(one))
        if is_cable(one):
            # Docker makes a veth under one name, renames an end and moves it: only the plug into a bridge is news.
            plugged = one.master and (old is None or old.master != one.master)
            parts += [f"{one.name} joins bridge {one.master}"] if plugged else []
        else:
            parts.append(_interface(old, one))
    gone = [one.name for one in changes.interfaces_removed if not is_cable(one)]
    if gone:
        parts.append(f"interface {_list(gone)} disappears")
    opened = {(x.protocol, x.port) for x in changes.listeners_added}
    closed = {(x.protocol, x.port) for x in changes.listeners_removed}
    parts += _ports((x for x in changes.listeners_added if (x.protocol, x.port) not in closed), "opens")
    parts += _ports((x for x in changes.listeners_removed if (x.protocol, x.port) not in opened), "closes")
    if not parts and (changes.routes_added or changes.routes_removed):
        added = [route.destination for route in changes.routes_added]
        removed = [route.destination for route in changes.routes_removed if route.destination not in added]
        parts += [f"route to {_list(added)} appears"] if added else []
        parts += [f"route to {_list(removed)} disappears"] if removed else []
    if changes.sysctls_set:
        parts += [f"{name} becomes {value}" for name, value in changes.sysctls_set.items()]
    if changes.resolver is not None:
        parts.append("the resolver changes")
    if changes.hosts is not None:
        parts.append("the hosts file changes")
    if changes.hostname is not None:
        parts.append(f"the host name becomes {changes.hostname}")
    return f"{_list(parts)} {_places(titles)}" if parts else ""


def actor(changes: Changes) -> str:
    """The process behind new listeners, as ``nginx 4711``; empty where none is known."""
    for one in changes.listeners_added:
        if one.process:
            return f"{one.process} {one.pid}" if one.pid else one.process
    return ""
