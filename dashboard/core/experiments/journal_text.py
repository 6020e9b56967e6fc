"""Describes changes of a namespace for the journal: a sentence for the timeline, and the cause in a few words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from msgspec import UNSET

from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.namespaces.delta import Changes, FirewallChanges
from dashboard.core.namespaces.links import describe_master, is_cable
from dashboard.core.namespaces.state import Interface, Listener, NamespaceState, Translation, interface_key
from dashboard.core.namespaces.visibility import MACHINE_TITLE, ROOTLESS_TITLE, name_machine

MAX_PARTS = 3


def _join(parts: Sequence[str]) -> str:
    if len(parts) > MAX_PARTS:
        return f"{', '.join(parts[:MAX_PARTS])} and {len(parts) - MAX_PARTS} more"
    return ", ".join(parts)


def describe_restart(kept: Sequence[str], version: str = "", started: Sequence[str] = ()) -> str:
    """Describes the restart of an engine. ``kept`` are the arms whose containers kept running; ``started`` are the arms
    whose containers ended and were started again. ``version`` is the engine's new version, empty if it did not
    change."""
    text = "The Engine was restarted" + (f" with version {version}" if version else "")
    if kept:
        text += f"; {_containers_of(kept)} kept running"
    if started:
        text += f"; {_containers_of(started)} ended and {'were' if started[1:] else 'was'} started again"
    return text


def _containers_of(arms: Sequence[str]) -> str:
    *first, last = arms
    return f"the containers of {', '.join(first)} and {last}" if first else f"the container of {last}"


def _describe_interface(before: Interface | None, after: Interface, links: Sequence[Interface]) -> str:
    name = after.name
    if before is None:
        addresses = [f"{a.address}/{a.prefix}" for a in after.addresses if a.scope != "link"]
        return f"interface {name} appears" + (f" with {_join(addresses)}" if addresses else "")
    added = [f"{a.address}/{a.prefix}" for a in after.addresses if a not in before.addresses]
    removed = [f"{a.address}/{a.prefix}" for a in before.addresses if a not in after.addresses]
    parts = []
    if added:
        parts.append(f"{name} gets {_join(added)}")
    if removed:
        parts.append(f"{name} loses {_join(removed)}")
    if before.up != after.up:
        parts.append(f"{name} goes {'up' if after.up else 'down'}")
    if before.mtu != after.mtu:
        parts.append(f"{name}: MTU changes from {before.mtu} to {after.mtu}")
    if before.master != after.master:
        port, verb = (after, "joins") if after.master else (before, "leaves")
        parts.append(f"{name} {verb} {describe_master(port, links)}")
    return ", ".join(parts) or f"{name} changes"


def _describe_listeners(listeners: Iterable[Listener], verb: str) -> list[str]:
    sockets = dict.fromkeys(
        (x.process or "a process", "" if x.protocol == "tcp" else f"{x.protocol} ", x.port) for x in listeners
    )
    return [f"{process} {verb} {protocol}:{port}" for process, protocol, port in sockets]


def _describe_firewall(changes: FirewallChanges) -> Iterator[str]:
    for verb, rules in (("appears", changes.added), ("disappears", changes.removed)):
        described = dict.fromkeys(map(_describe_translation, rules))
        if described:
            yield f"nat rule {_join(tuple(described))} {verb}"
    for one in changes.unread or ():
        yield f"nat rules are not readable ({one.reason})"


def _describe_translation(rule: Translation) -> str:
    port = f":{rule.port}" if rule.protocol == "tcp" else f"{rule.protocol} :{rule.port}"
    return f"{port} → {format_endpoint(rule.to_address, rule.to_port)}"


def _describe_place(titles: Sequence[str]) -> str:
    arms = [title for title in titles if title not in {MACHINE_TITLE, ROOTLESS_TITLE}]
    if len(arms) == len(titles):
        return f"in {' and '.join(arms)}"
    return name_machine("on this machine", titles[0]) + (f" (shared by {' and '.join(arms)})" if arms else "")


def describe_changes(before: NamespaceState, changes: Changes, titles: Sequence[str]) -> str:
    """Describes the changes of one namespace as a sentence. Empty if no change matters to a reader.

    ``before`` is the state before the changes. ``titles`` are the titles of the columns that share the namespace. The
    sentence omits a listener of which only the owner changed. It mentions routes only if neither interfaces nor
    listeners changed, because the kernel adds routes together with addresses.
    """
    known = {interface_key(link): link for link in before.interfaces}
    links = (*changes.interfaces_set, *before.interfaces)
    parts: list[str] = []
    for link in changes.interfaces_set:
        old = known.get(interface_key(link))
        if is_cable(link):
            # Docker creates a veth pair, renames one end and moves it: only joining a bridge is worth a line.
            joined = link.master and (old is None or old.master != link.master)
            parts += [f"{link.name} joins {describe_master(link, links)}"] if joined else []
        else:
            parts.append(_describe_interface(old, link, links))
    removed_links = [link.name for link in changes.interfaces_removed if not is_cable(link)]
    if removed_links:
        parts.append(f"interface {_join(removed_links)} disappears")
    opened = {(x.protocol, x.port) for x in changes.listeners_added}
    closed = {(x.protocol, x.port) for x in changes.listeners_removed}
    parts += _describe_listeners((x for x in changes.listeners_added if (x.protocol, x.port) not in closed), "opens")
    parts += _describe_listeners((x for x in changes.listeners_removed if (x.protocol, x.port) not in opened), "closes")
    if not parts and (changes.routes_added or changes.routes_removed):
        added = [route.destination for route in changes.routes_added]
        removed = [route.destination for route in changes.routes_removed if route.destination not in added]
        parts += [f"route to {_join(added)} appears"] if added else []
        parts += [f"route to {_join(removed)} disappears"] if removed else []
    parts += [f"{name} is now {value}" for name, value in (changes.sysctls_set or {}).items()]
    if isinstance(changes.firewall, FirewallChanges):
        parts += _describe_firewall(changes.firewall)
    if changes.resolver is not None:
        parts.append("the resolver changes")
    if changes.hosts is not None:
        parts.append("the hosts file changes")
    if changes.hostname is not None:
        parts.append(f"the host name is now {changes.hostname}")
    return f"{_join(parts)} {_describe_place(titles)}" if parts else ""


def describe_cause(before: NamespaceState, changes: Changes) -> str:
    """Names what changed, for ``Cause.detail``: ``link eth0``, ``address eth0, route`` or ``listener tcp :80``. At most
    three changes are named, the most important first. ``before`` is the state before the changes."""
    causes = list(dict.fromkeys(_causes(before, changes)))
    return ", ".join([*causes[:MAX_PARTS], "…"] if len(causes) > MAX_PARTS else causes)


def _causes(before: NamespaceState, changes: Changes) -> Iterator[str]:
    known = {link.index: link for link in before.interfaces}
    links = {link.index: link for link in (*changes.interfaces_removed, *changes.interfaces_set)}
    kept = {link.index for link in changes.interfaces_set}
    addresses: list[str] = []
    for index, link in sorted(links.items()):
        old = known.get(index)
        if index in kept and old is not None and replace(old, addresses=()) == replace(link, addresses=()):
            addresses.append(f"address {link.name}")
        else:
            yield f"link {link.name}"
    yield from addresses
    if changes.routes_added or changes.routes_removed:
        yield "route"
    sockets = {(str(x.protocol), x.port) for x in (*changes.listeners_added, *changes.listeners_removed)}
    for protocol, port in sorted(sockets):
        yield f"listener {protocol} :{port}"
    if changes.firewall is not UNSET:
        rules = changes.firewall if isinstance(changes.firewall, FirewallChanges) else None
        nat = rules is None or rules.added or rules.removed or rules.unread is not None
        yield "nat rules" if nat else "filter rules"
    if changes.sysctls_set or changes.sysctls_removed:
        yield "sysctl"
    if changes.resolver is not None or changes.resolver_gone:
        yield "resolver"
    if changes.hosts is not None:
        yield "hosts file"
    if changes.lookups is not None:
        yield "lookups"


def listening_process(changes: Changes) -> str:
    """Returns the first known process of a new listener, such as ``nginx 4711``. Empty if none is known."""
    for listener in changes.listeners_added:
        if listener.process:
            return f"{listener.process} {listener.pid}" if listener.pid else listener.process
    return ""
