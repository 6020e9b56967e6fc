"""What the diagram shows of a network namespace: the small boxes (``Item``) in it, and a description as text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import UnsetType

from dashboard.core.experiments.messages import Column
from dashboard.core.experiments.picture import Item
from dashboard.core.modes import MACHINE, NEIGHBOUR, OTHER_CONTAINER, OTHER_HOST, ROOTLESS_NETNS
from dashboard.core.namespaces.forwarders import DOCKER_PROXY, forwarder_name
from dashboard.core.namespaces.links import is_cable, is_tapped, lower_link, veth_ends
from dashboard.core.namespaces.resolver import DOCKER_SERVER
from dashboard.core.namespaces.state import Family, Listener, NamespaceState, Translation
from dashboard.core.namespaces.visibility import name_machine
from dashboard.core.paths.model import ANY_ADDRESS, family_of
from dashboard.core.paths.translations import covers, listeners_on

SHOWN_INTERFACES = 5
SHOWN_LISTENERS = 4
SHOWN_PORTS = 3
OUTSIDE_SENTENCES = {
    NEIGHBOUR: "another machine, on the same LAN as the machine.",
    OTHER_HOST: "another machine with a Docker Engine, on the same LAN as the machine.",
    OTHER_CONTAINER: "on the other host, in a separate network stack.",
    ROOTLESS_NETNS: "the bridges of this user's containers.",
}


@dataclass(frozen=True, slots=True)
class DrawnNamespace:
    """A network namespace in the diagram: its state and the columns that share it. The first column owns the
    namespace."""

    state: NamespaceState
    columns: tuple[Column, ...]

    @property
    def key(self) -> str:
        """The key of the column that owns the namespace."""
        return self.columns[0].key


def group_by_namespace(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[DrawnNamespace, ...]:
    """Groups the columns by network namespace, in the order of the columns. Columns without a state are left out."""
    groups: dict[int, list[Column]] = {}
    for column in columns:
        if column.key in states:
            groups.setdefault(states[column.key].netns, []).append(column)
    return tuple(DrawnNamespace(states[group[0].key], tuple(group)) for group in groups.values())


def interface_items(namespace: DrawnNamespace, mode: str, *, bridges: bool | None = None) -> list[Item]:
    """Returns items for the interfaces of a namespace, loopback last.

    ``mode`` selects the style in which they are drawn. If it is ``MACHINE``, the machine's ends of veth pairs are left
    out. ``bridges`` selects the interfaces: True for bridges only, False for all others, None for all. If there are too
    many interfaces, the last item gives the number of those that are not shown.
    """
    shown = sorted(
        (
            interface
            for interface in namespace.state.interfaces
            if not (mode == MACHINE and is_cable(interface)) and bridges in {None, interface.kind == "bridge"}
        ),
        key=lambda one: one.kind == "loopback",
    )
    items = []
    for one in shown[:SHOWN_INTERFACES] if len(shown) > SHOWN_INTERFACES + 1 else shown:
        first = next((a for a in one.addresses if a.scope == "global" or one.kind == "loopback"), None)
        first = first or next(iter(one.addresses), None)
        text = f"{first.address}/{first.prefix}" if first else "no address"
        extra = len(one.addresses) - 1
        state = "" if one.up else " · down"
        items.append(
            Item(
                f"{namespace.key}:if:{one.index}",
                "interface",
                mode,
                (f"{one.name}{state}", text + (f" +{extra}" if extra > 0 else "")),
            )
        )
    hidden = len(shown) - len(items)
    if hidden:
        what = "bridges" if bridges else "interfaces"
        items.append(
            Item(f"{namespace.key}:if:more{'-bridges' if bridges else ''}", "more", mode, (f"{hidden} more {what}",))
        )
    return items


def listener_items(key: str, mode: str, listeners: Iterable[Listener]) -> list[Item]:
    """Returns an item for each of the first ``SHOWN_LISTENERS`` ports of the listeners. A port at several addresses has
    one item. If there are more ports, the last item gives their number. ``key`` and ``mode`` are those of the
    column."""
    ports: dict[tuple[str, int], Listener] = {}
    for one in listeners:
        ports.setdefault((one.protocol, one.port), one)
    shown = sorted(ports.values(), key=lambda one: (one.protocol, one.port))
    items = [
        Item(
            f"{key}:listen:{one.protocol}:{one.port}",
            "listener",
            mode,
            (
                f":{one.port} {one.process or 'unknown process'}",
                f"{one.protocol}" + (f", pid {one.pid}" if one.pid else ""),
            ),
        )
        for one in shown[:SHOWN_LISTENERS]
    ]
    if len(shown) > SHOWN_LISTENERS:
        items.append(Item(f"{key}:listen:more", "more", mode, (f"{len(shown) - SHOWN_LISTENERS} more listeners",)))
    return items


def own_listeners(column: Column, state: NamespaceState, *, alone: bool = False) -> list[Listener]:
    """Returns the listeners of the column's container.

    For the machine's column, returns those of the machine's own processes. Programs that forward published ports are
    left out there, because they have boxes of their own.

    The container of a listener is read from the cgroup of its process, so it is unknown where a rootless engine runs
    without cgroups. ``alone`` is true if no other column shares the namespace. In this case, if no listener of the
    container is known, returns all listeners whose container is unknown, except Docker's resolver.
    """
    unknown = [listener for listener in state.listeners if listener.container is None]
    if column.container is None:
        return [one for one in unknown if not forwarder_name(one.process)]
    known = [listener for listener in state.listeners if listener.container == column.container.id]
    return known or [one for one in unknown if alone and one.address != DOCKER_SERVER]


def published_mappings(column: Column) -> dict[tuple[int, str, int], list[str]]:
    """Returns the addresses of the machine at which each port is published. The keys are (container port, protocol,
    port of the machine). Ports on a network in gateway mode ``routed`` are left out, because they use no port of the
    machine."""
    seen: dict[tuple[int, str, int], list[str]] = {}
    for one in column.published:
        if one.host_port:
            seen.setdefault((one.container_port, one.protocol, one.host_port), []).append(one.host_address)
    return seen


def mapping_box_id(column: Column, kind: str, port: tuple[int, str, int]) -> str:
    """Returns the id of a box that shows how a published port is forwarded. ``kind`` is ``proxy`` for the forwarding
    program, ``dnat`` for DNAT; ``port`` is a key of ``published_mappings``."""
    return f"{column.key}:{kind}:{port[1]}:{port[2]}:{port[0]}"


def mapping_items(column: Column, state: NamespaceState, machine: NamespaceState) -> list[Item]:
    """Returns items for the first ``SHOWN_PORTS`` published ports of a column. A port has an item for the forwarding
    program if this program listens. It has one for DNAT if a nat rule leads to an address of the column. If there are
    more ports, the last item gives their number. ``state`` is that of the column, ``machine`` that of the machine."""
    items = []
    ports = list(published_mappings(column).items())
    for mapping, addresses in ports[:SHOWN_PORTS]:
        for kind, lines in _forwarding_lines(state, machine, mapping, addresses).items():
            items.append(Item(mapping_box_id(column, kind, mapping), kind, column.mode, lines))
    if len(ports) > SHOWN_PORTS:
        items.append(Item(f"{column.key}:ports:more", "more", column.mode, (f"{len(ports) - SHOWN_PORTS} more ports",)))
    return items


def _forwarding_lines(
    state: NamespaceState, machine: NamespaceState, mapping: tuple[int, str, int], addresses: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Returns the text of the boxes of one published port: two lines for each kind of box, ``proxy`` and ``dnat``. If
    neither box exists and the nat rules could not be read, the only box has the kind ``more``, and states this.
    ``mapping`` is a key of ``published_mappings``, ``addresses`` is its value."""
    container_port, protocol, host_port = mapping
    port = f":{host_port}" if protocol == "tcp" else f"{protocol} :{host_port}"
    listeners = [one for one in machine.listeners if (one.port, one.protocol) == (host_port, protocol)]
    proxies = [listener for listener in listeners if listener.process == DOCKER_PROXY]
    everywhere = bool({"", "0.0.0.0"} & set(addresses))  # noqa: S104 - compared, not bound
    bound = f"at {addresses[0] if addresses[0] != '::' else 'all IPv6'}"
    lines: dict[str, tuple[str, str]] = {}
    dnat = f"DNAT {port} → :{container_port}"
    if isinstance(machine.firewall, UnsetType):
        if proxies:
            lines["proxy"] = (f"docker-proxy {port}", "for 127.0.0.1" if everywhere else bound)
        outside = [one for one in addresses if ":" not in one and not one.startswith("127.")]
        if outside or not proxies:
            where = f"at {outside[0]}" if outside and not everywhere else "for 127.0.0.1" if everywhere else bound
            where = ("all other addresses" if proxies else "all addresses") if everywhere else where
            lines["dnat"] = (dnat, where)
        return lines
    proxies = [
        one
        for address in addresses
        for family in ((family_of(address),) if address else Family)
        for one in listeners_on(
            machine, protocol, family, host_port, "" if address in ANY_ADDRESS.values() else address
        )
        if forwarder_name(one.process)
    ]
    own = {a.address for link in state.interfaces for a in link.addresses if a.scope == "global"}
    rules = [
        rule
        for rule in machine.firewall.translations
        if (rule.protocol, rule.port) == (protocol, host_port)
        and not rule.condition
        and rule.to_address in own
        and any(address in {"", ANY_ADDRESS[rule.family]} or covers(rule, address) for address in addresses)
    ]
    if proxies:
        where = _proxied_addresses(proxies, rules) if everywhere else bound
        where = where if protocol == "tcp" else f"{protocol}, {where}"
        lines["proxy"] = (f"{forwarder_name(proxies[0].process)} :{host_port}", where)
    if rules:
        lines["dnat"] = (dnat, _translated_addresses(rules))
    elif machine.firewall.unread and not proxies:
        lines["more"] = (f"published {port}", "nat rules not readable")
    return lines


def _translated_addresses(rules: Sequence[Translation]) -> str:
    whole = [rule for rule in rules if not rule.address]
    if not whole:
        return f"at {rules[0].address}"
    families = {rule.family for rule in whole}
    of = "" if len(families) > 1 else " IPv6" if Family.INET6 in families else " IPv4"
    if not all(rule.excluded for rule in whole):
        return f"all{of} addresses"
    return f"other{of} addresses" if of else "all other addresses"


def _proxied_addresses(proxies: Sequence[Listener], rules: Sequence[Translation]) -> str:
    """Describes the addresses at which the forwarding program gets the requests. If the program listens on wildcard
    addresses, these are the addresses that no DNAT rule in ``rules`` translates."""
    if all(proxy.address not in ANY_ADDRESS.values() for proxy in proxies):
        # With slirp4netns RootlessKit has docker-proxy listen on loopback only.
        return " and ".join(dict.fromkeys(proxy.address for proxy in proxies))
    translated = {rule.family for rule in rules if not rule.address}
    families = {proxy.family for proxy in proxies}
    if not families & translated:
        return "all addresses"
    return "127.0.0.1 and IPv6" if families - translated else "for 127.0.0.1"


def namespace_title(stack: DrawnNamespace) -> str:
    """Returns the titles of the columns that share the namespace, joined by “+”."""
    return " + ".join(column.title for column in stack.columns)


def describe_namespaces(stacks: Sequence[DrawnNamespace], machine: DrawnNamespace | None) -> str:
    """Describes the diagram as text, for screen readers. ``machine`` is the one of ``stacks`` that belongs to the
    machine; None if the machine's state is not known."""
    sentences = []
    for stack in stacks:
        names = " and ".join(column.title for column in stack.columns if column.key != MACHINE)
        if machine is not None and stack is machine:
            if names:
                sentences.append(f"{names}: in the machine's network stack.")
            continue
        if stack.key in OUTSIDE_SENTENCES:
            sentences.append(f"{names}: {OUTSIDE_SENTENCES[stack.key]}")
            continue
        holders = [one for one in stacks if one is machine or one.key == ROOTLESS_NETNS]
        ends = [pair for holder in holders for pair in veth_ends(holder.state, stack.state)]
        joined = [f"a veth pair to {outer.master}" for outer, _ in ends if outer.master]
        lower = (
            [(one, lower_link(machine.state, stack.state, one)) for one in stack.state.interfaces] if machine else []
        )
        joined += [f"{one.kind} on {link.name}" for one, link in lower if link is not None]
        if is_tapped(stack.state):
            joined.append("a tap device, which a program of the machine serves")
        tail = f", connected by {' and '.join(joined)}" if joined else ", not connected"
        sentences.append(f"{names}: a separate network stack{tail}.")
        for column in stack.columns:
            for mapping, addresses in published_mappings(column).items():
                lines = {} if machine is None else _forwarding_lines(stack.state, machine.state, mapping, addresses)
                if machine is None or {"proxy", "dnat"} & set(lines):
                    container_port, protocol, host_port = mapping
                    port = "Port" if protocol == "tcp" else f"{protocol.upper()} port"
                    target = f"port {container_port} of {column.title}"
                    sentences.append(f"{port} {host_port} of the machine forwards to {target}.")
    text = " ".join(sentences) or "No container is running."
    return name_machine(text, machine.columns[0].title) if machine is not None else text
