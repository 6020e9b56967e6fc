"""Explains why identity, interfaces, routes and sysctls differ."""

import re
from collections.abc import Iterator

from dashboard.core.comparison.cells import ObservedColumns, RowKey
from dashboard.core.comparison.phrases import (
    RowCells,
    agree,
    arms_of,
    columns_with_value,
    if_host_mode,
    is_bridged,
    join_titles,
    make_sentence,
    tap_columns,
)
from dashboard.core.comparison.stack_cells import network_of_link
from dashboard.core.experiments.engine_kind import SHORT_NAMES, EngineKind
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.state import Family, Route

NO_INTERFACE = "no such interface"
_GW_PRIORITY = re.compile(r" --network name=([^, ]+),gw-priority=([+-]?\d+)")
MACHINES = "; host mode uses the machine's"
DEFAULT_BRIDGES = {EngineKind.DOCKER: "docker0", EngineKind.PODMAN: "podman0"}
SUB_INTERFACES = (Mode.MACVLAN, Mode.IPVLAN)


def explain_identity(observed: ObservedColumns, key: RowKey, cells: RowCells) -> str:
    """Returns why the columns differ in a row about namespaces, addresses or host names."""
    if key.key == "netns":
        return _explain_netns(observed)
    if key.key == "address" and not observed.states:
        without = [c for c in observed.columns if c.key != MACHINE and cells[c.key].text is None]
        return make_sentence(
            "the Engine assigns an address in each network that has a subnet",
            f"{join_titles(without)} {agree(without, 'gets', 'get')} none" if without else "",
        )
    if key.key == "address":
        machine = set((cells[MACHINE].text or "").split(", ")) if MACHINE in cells else set()
        copied = [c for c in tap_columns(observed) if machine & set((cells[c.key].text or "-").split(", "))]
        own = [c for c in tap_columns(observed) if c not in copied]
        sharing = [arm for arm in arms_of(observed, Mode.CONTAINER) if not observed.shares_machine(arm.key)]
        return (
            make_sentence(
                if_host_mode(observed, "host mode has no address of its own: it uses the machine's"),
                "each network assigns addresses from its own subnet"
                if any(c.networks.values() for c in arms_of(observed))
                else "",
                f"pasta gives {join_titles(copied)} the machine's address" if copied else "",
                f"the address of {join_titles(own)} is behind a tap device, not on the machine" if own else "",
                "mode none has only loopback addresses" if arms_of(observed, Mode.NONE) else "",
                f"{join_titles(sharing)} {agree(sharing, 'uses', 'use')} the address of the stack it joined"
                if sharing
                else "",
            )
            or "Each network stack has its own addresses."
        )
    if key.key == "hostname":
        return _explain_hostname(observed)
    if all(cells[arm.key].text == "its own" for arm in arms_of(observed) if cells[arm.key].text is not None):
        return (
            if_host_mode(observed, "Host mode shares only the network: this namespace is still the container's own.")
            or "The network mode does not affect this namespace: each container has its own."
        )
    return "Some containers share this namespace with the machine, others have their own."


def _explain_netns(observed: ObservedColumns) -> str:
    shared = []
    for column in arms_of(observed, Mode.CONTAINER):
        state = observed.states[column.key]
        owners = [
            o for o in arms_of(observed) if o.mode != Mode.CONTAINER and observed.states[o.key].netns == state.netns
        ]
        if owners:
            shared.append(f"{column.title} shares the stack of {owners[0].title}")
    text = "; ".join(part for part in (if_host_mode(observed, "host mode has no stack of its own"), *shared) if part)
    if text:
        return f"The same number means the same network stack: {text}."
    if observed.machine is None or any(observed.shares_machine(arm.key) for arm in arms_of(observed)):
        return "The same number means the same network stack."
    return "Every container here has its own network stack; none shares the machine's."


def _explain_hostname(observed: ObservedColumns) -> str:
    own = [c for c in arms_of(observed) if c.container and _is_container_id(observed, c, c.container.id)]
    ids = [c.container.id for c in arms_of(observed) if c.container]
    joined = [
        c
        for c in arms_of(observed, Mode.CONTAINER)
        if c not in own and any(_is_container_id(observed, c, one) for one in ids)
    ]
    copied = [
        c
        for c in arms_of(observed, Mode.HOST)
        if observed.machine and observed.states[c.key].hostname == observed.machine.hostname
    ]
    given = [c for c in arms_of(observed) if c not in (*own, *joined, *copied)]
    parts = (
        f"in host mode {SHORT_NAMES[observed.engine]} copies the machine's name" if copied else "",
        f"{SHORT_NAMES[observed.engine]} names a container by its id" if own else "",
        f"{join_titles(joined)} {agree(joined, 'takes', 'take')} the name of the container it joined" if joined else "",
        f"{join_titles(given)} {agree(given, 'was', 'were')} given another name" if given and (own or copied) else "",
    )
    text = "; ".join(part for part in parts if part)
    return f"The host name belongs to the UTS namespace, which is not shared{f': {text}' if text else ''}."


def _is_container_id(observed: ObservedColumns, column: Column, container: str) -> bool:
    name = observed.states[column.key].hostname
    return bool(name) and container.startswith(name)


def _owners(observed: ObservedColumns, cells: RowCells) -> list[Column]:
    """Returns the columns that have the interface of this row, including those where the interface lacks what the row
    shows, such as an address."""
    return [c for c in observed.columns if c.key in observed.states and cells[c.key].absent != NO_INTERFACE]


def explain_interfaces(observed: ObservedColumns, key: RowKey, cells: RowCells) -> str:
    """Returns why the columns differ in a row about interfaces."""
    owners, name = _owners(observed, cells), SHORT_NAMES[observed.engine]
    if len({observed.states[column.key].netns for column in owners}) > 1:
        return {
            "link": "Same name, different interface: every network stack has its own interfaces.",
            "addresses": "Same name, different interface: each network stack has its own addresses.",
            "mtu": f"The MTU belongs to the interface: a container gets the MTU of its {name} network.",
            "mac": "Each interface has its own MAC address.",
            "joined": _explain_joined(cells),
        }.get(key.field, "Each network stack has its own interfaces.")
    if not any(column.key == MACHINE or observed.shares_machine(column.key) for column in owners):
        return (
            f"Only {join_titles(owners)} {agree(owners, 'has', 'have')} it: an interface belongs to one network stack."
        )
    seen = if_host_mode(observed, "; a container in host mode sees all of the machine's interfaces")
    if key.key.startswith("veth to "):
        what = f"This is the machine's end of the veth pair to {key.key.removeprefix('veth to ')}"
    elif key.key == DEFAULT_BRIDGES[observed.engine]:
        what = "The default bridge is an interface of the machine"
    elif _is_user_bridge(observed, key.key):
        what = "The Linux bridge of a user-defined network is an interface of the machine"
    else:
        what = f"{key.key} is the machine's: an interface belongs to one network stack"
    return f"{what}{seen}."


def _is_user_bridge(observed: ObservedColumns, name: str) -> bool:
    """Whether ``name`` has the form of the names that the engine gives to the bridges of user-defined networks."""
    if observed.engine is EngineKind.PODMAN:
        return re.fullmatch(r"podman\d+", name) is not None
    return re.fullmatch(r"br-[0-9a-f]{12}", name) is not None


def _explain_joined(cells: RowCells) -> str:
    texts = [cell.text or "" for cell in cells.values()]
    return (
        make_sentence(
            "each veth pair connects one container" if any("veth peer" in text for text in texts) else "",
            "a sub-interface is on an interface of the machine"
            if any(text.startswith("on ") for text in texts)
            else "",
        )
        or "In each column the interface is joined to a different link."
    )


def explain_routes(observed: ObservedColumns, key: RowKey, cells: RowCells) -> str:
    """Returns why the columns differ in a row about routes."""
    if key.key == "default":
        holders = columns_with_value(observed, cells)
        bridged = any(is_bridged(observed, column) for column in holders)
        taps = [column for column in tap_columns(observed) if column in holders]
        router = _gateways(observed, MACHINE, key.field)
        copied = [column for column in taps if router and _gateways(observed, column.key, key.field) == router]
        own = [column for column in taps if column not in copied]
        text = make_sentence(
            "the machine uses its own gateway" if any(c.key == MACHINE for c in holders) else "",
            "a bridged container uses the bridge's address" if bridged else "",
            f"pasta gives {join_titles(copied)} the machine's gateway" if copied else "",
            f"the gateway of {join_titles(own)} is the program behind its tap device" if own else "",
            *_explain_gateways_of_sub_interfaces(observed, key.field),
            "mode none has no default route"
            if arms_of(observed, Mode.NONE) and Mode.NONE not in {c.mode for c in holders}
            else "",
            *(_explain_gateway(observed, column, key) for column in holders if len(column.networks) > 1),
        )
        if text:
            return text
    return f"Each network stack has its own routing table{if_host_mode(observed, MACHINES)}."


def _explain_gateways_of_sub_interfaces(observed: ObservedColumns, family: str) -> Iterator[str]:
    """Yields clauses on the default routes of arms in macvlan and ipvlan mode.

    They state which arms use the machine's router, which use a different gateway, and, for IPv4, which have no default
    route. A gateway is known to be a router only if the machine uses it as well. Without ``--gateway``, an Engine
    before 29 chooses an address of the subnet as the gateway; since 29, the Engine sets no default route.
    """
    router = _gateways(observed, MACHINE, family)
    arms = {column.key: column for column in arms_of(observed, *SUB_INTERFACES)}
    gateways = {key: _gateways(observed, key, family) for key in arms}
    given = [arms[key] for key, found in gateways.items() if found and found <= router]
    chosen = [arms[key] for key, found in gateways.items() if found - router]
    without = [arms[key] for key in arms if not _default_routes(observed, key, family)]
    if given:
        yield f"{join_titles(given)} {agree(given, 'uses', 'use')} the gateway of the parent's network"
    if chosen:
        yield f"{join_titles(chosen)} {agree(chosen, 'uses', 'use')} a gateway that is not the machine's router"
    if without and family == Family.INET:
        yield f"the network of {join_titles(without)} has no gateway, so there is no default route"


def _default_routes(observed: ObservedColumns, key: str, family: str) -> list[Route]:
    state = observed.states.get(key)
    routes = state.routes if state is not None else ()
    return [route for route in routes if route.family == family and route.destination == "default"]


def _gateways(observed: ObservedColumns, key: str, family: str) -> set[str]:
    return {route.gateway for route in _default_routes(observed, key, family) if route.gateway}


def _explain_gateway(observed: ObservedColumns, column: Column, key: RowKey) -> str:
    """Returns a clause on which of a container's networks provides the default route, and why. ``key.field`` is the
    address family of the route. If several networks provide a default route, as with Podman, the clause gives their
    number. Empty if the network is not known. Sources: Docker documentation, ``--network``; Moby, ``Endpoint.Less``,
    which compares the names of networks last, after the number of their gateways."""
    interfaces = {route.interface for route in _default_routes(observed, column.key, key.field)}
    networks = {network_of_link(column, observed.states[column.key], interface) for interface in interfaces} - {""}
    if len(networks) > 1:
        return f"{len(networks)} networks of {column.title} have a default route each"
    network = next(iter(networks), "")
    if not network:
        return ""
    text = f"of the {len(column.networks)} networks of {column.title}, {network} provides the gateway"
    given = {name: int(number) for name, number in _GW_PRIORITY.findall(column.command)}
    priorities = [given.get(name, 0) for name in column.networks]
    own = given.get(network, 0)
    if own == max(priorities) and priorities.count(own) == 1:
        return f"{text}: its gateway priority is the highest ({own})"
    if not given and network == min(column.networks):
        return f"{text}: no gateway priority is set, so the order of their names decides"
    return text


def explain_sysctls(observed: ObservedColumns, key: RowKey, cells: RowCells) -> str:
    """Returns why the columns differ in a row about sysctls."""
    name = SHORT_NAMES[observed.engine]
    option = re.compile(rf" --sysctl '?{re.escape(key.key)}=")  # quoted if the value contains a blank
    given = [c for c in columns_with_value(observed, cells) if option.search(c.command)]
    if given:
        return f"--sysctl set the value for {join_titles(given)}."
    apart = [cells[c.key].text for c in arms_of(observed) if not observed.shares_machine(c.key)]
    stays = if_host_mode(observed, "; host mode keeps the machine's value")
    if key.key.endswith("ip_unprivileged_port_start") and "0" in apart:
        return f"{name} lets every user bind low ports in a separate namespace{stays}."
    if key.key.endswith("ping_group_range") and "0 2147483647" in apart:
        return f"{name} lets every group ping in a separate namespace{stays}."
    if key.key.endswith("ping_group_range") and observed.engine is EngineKind.PODMAN and "0 0" in apart:
        return f"Podman sets the value in a separate namespace (default_sysctls of containers.conf){stays}."
    machine = cells[MACHINE].text if MACHINE in cells else None
    if "forward" in key.key and machine == "1" and "1" not in apart:
        return f"{name} enables forwarding on the machine to route for its bridges; a container does not need it."
    text = "A network sysctl belongs to the namespace, and a new namespace starts with defaults"
    return f"{text}{if_host_mode(observed, MACHINES)}."
