"""Decides whether a change of the machine concerns the columns of an experiment, or only links, routes, rules and ports
of other containers."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from msgspec import UNSET

from dashboard.core.experiments.journal import View
from dashboard.core.experiments.messages import ArmStatus, Column, Phase
from dashboard.core.modes import MACHINE, OBSERVERS, ROOTLESS_NETNS
from dashboard.core.namespaces.delta import NOTHING, Changes, FirewallChanges
from dashboard.core.namespaces.forwarders import forwarder_name
from dashboard.core.namespaces.links import is_cable, veth_ends
from dashboard.core.namespaces.state import FirewallRules, Interface, Listener, NamespaceState


def concerns_columns(view: View, changes: Mapping[str, Changes]) -> bool:
    """Whether changes concern the columns of the experiment. ``changes`` maps the key of each changed column to its
    changes. Unless the experiment is running, every change counts as concerning them."""
    machine = view.states.get(MACHINE)
    if machine is None or view.head is None or view.head.phase is not Phase.RUNNING:
        return True
    arms = [column for column in view.columns if column.key not in OBSERVERS]
    if any(column.status is ArmStatus.RUNNING and column.key not in view.states for column in arms):
        return True
    shared = [state for state in (machine, view.states.get(ROOTLESS_NETNS)) if state is not None]
    namespaces = {state.netns: state for state in shared}
    if any(key not in view.states or view.states[key].netns not in namespaces for key in changes):
        return True
    return not all(
        _is_foreign(change, namespaces[view.states[key].netns], arms, view.states) for key, change in changes.items()
    )


def _is_foreign(
    change: Changes, machine: NamespaceState, arms: Iterable[Column], states: Mapping[str, NamespaceState]
) -> bool:
    rest = replace(
        change,
        interfaces_set=(),
        interfaces_removed=(),
        routes_added=(),
        routes_removed=(),
        listeners_added=(),
        listeners_removed=(),
        firewall=UNSET,
    )
    if rest != NOTHING or change.firewall is None:
        return False
    links = (*change.interfaces_removed, *change.interfaces_set)
    own = _own_links(machine, states)
    if any(link.name in own or link.master in own or not _is_of_containers(link, machine) for link in links):
        return False
    foreign = {link.name for link in links} | _bridges(machine.interfaces) - own
    if any(route.interface not in foreign for route in (*change.routes_added, *change.routes_removed)):
        return False
    arms = tuple(arms)
    own_containers = {column.container.id for column in arms if column.container is not None}
    ports = {port.host_port for column in arms for port in column.published}
    # The only program that listens beside Podman's bridges is its resolver; each of its lookups uses another port.
    listeners = (
        (*change.listeners_added, *change.listeners_removed) if machine is not states.get(ROOTLESS_NETNS) else ()
    )
    if not all(_is_foreign_listener(listener, own_containers, ports) for listener in listeners):
        return False
    addresses = {
        address.address for state in states.values() for link in state.interfaces for address in link.addresses
    }
    rules = change.firewall if isinstance(change.firewall, FirewallChanges) else FirewallChanges()
    before = machine.firewall if isinstance(machine.firewall, FirewallRules) else FirewallRules()
    bridges = {one.name for one in _changed(before.isolated_bridges, rules.isolated_bridges)}
    bridges |= {one.name for one in _changed(before.closed_bridges, rules.closed_bridges)}
    if rules.unread is not None or bridges & own:
        return False
    if any(drop.address in addresses for drop in (*rules.drops_added, *rules.drops_removed)):
        return False
    changed = (*rules.added, *rules.removed)
    return all(rule.to_address not in addresses and rule.port not in ports for rule in changed)


def _changed[T](before: Iterable[T], after: Iterable[T] | None) -> set[T]:
    return set() if after is None else set(before) ^ set(after)


def _own_links(machine: NamespaceState, states: Mapping[str, NamespaceState]) -> set[str]:
    """The names of the machine's links that belong to columns: the outer end of each veth pair, and the bridge to which
    it is attached."""
    own: set[str] = set()
    for state in states.values():
        if state.netns != machine.netns:
            for outer, _inner in veth_ends(machine, state):
                own |= {outer.name, outer.master} if outer.master else {outer.name}
    return own


def _bridges(links: Iterable[Interface]) -> set[str]:
    return {link.name for link in links if link.kind == "bridge"}


def _is_of_containers(link: Interface, machine: NamespaceState) -> bool:
    """Whether a changed link is of a kind that engines create for containers: a bridge, or a veth end that has only
    link-local addresses. It must be of such a kind both before the change (in ``machine``) and after it (``link``). A
    private host's link to its LAN does not count: it is a veth end with other addresses."""
    known = next((interface for interface in machine.interfaces if interface.index == link.index), link)
    return all(is_cable(one) or one.kind == "bridge" for one in (known, link))


def _is_foreign_listener(listener: Listener, own_containers: set[str], ports: set[int]) -> bool:
    if listener.container is not None:
        return listener.container not in own_containers
    return bool(forwarder_name(listener.process)) and listener.port not in ports
