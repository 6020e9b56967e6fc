"""Relations between links: the two ends of a veth pair, a sub-interface and the link below it.

Source: IFLA_LINK and IFLA_LINK_NETNSID in rtnetlink(7): a link in another namespace is identified by its index.
"""

from __future__ import annotations

from dashboard.core.namespaces.state import Interface, NamespaceState

SUB_INTERFACES = frozenset({"macvlan", "ipvlan"})


def veth_ends(machine: NamespaceState, inside: NamespaceState) -> tuple[tuple[Interface, Interface], ...]:
    """Pairs (end on the machine, end inside) whose peer indexes refer to each other."""
    by_index = {one.index: one for one in machine.interfaces}
    pairs = []
    for end in inside.interfaces:
        if end.kind != "veth" or not end.peer or not end.peer.startswith("if"):
            continue
        other = by_index.get(int(end.peer[2:])) if end.peer[2:].isdigit() else None
        if other is not None and other.kind == "veth" and other.peer == f"if{end.index}":
            pairs.append((other, end))
    return tuple(pairs)


def is_cable(one: Interface) -> bool:
    """Whether a link is a veth end without an address; it is drawn as an edge, not as a box."""
    return one.kind == "veth" and all(address.scope == "link" for address in one.addresses)


def lower_link(machine: NamespaceState, inside: NamespaceState, one: Interface) -> Interface | None:
    """The machine's link below a sub-interface: identified by name in the same namespace, by index from another."""
    if one.kind not in SUB_INTERFACES or not one.peer:
        return None
    number = one.peer.removeprefix("if")
    if inside.netns != machine.netns and number.isdigit():
        return next((link for link in machine.interfaces if link.index == int(number)), None)
    return next((link for link in machine.interfaces if link.name == one.peer), None)
