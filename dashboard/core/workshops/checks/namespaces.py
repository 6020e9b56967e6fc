"""Checks of namespaces, listeners, interfaces, resolvers and requests, as the kernel reports them."""

from functools import partial

from dashboard.core.namespaces.addresses import address_of
from dashboard.core.namespaces.resolver import NOT_MADE
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.workshops.checks.check_types import (
    PLACE,
    SELECTOR,
    Arguments,
    CheckType,
    Finding,
    judge_state,
    no_match,
    resolve_place,
    selector_of,
)
from dashboard.core.workshops.observation import (
    ContainerSelector,
    ContainerSnapshot,
    Observation,
    TcpConnection,
    describe_owner,
    format_list,
    listeners_on,
    local_addresses,
    newest,
)

#: The largest difference between the Engine's clock and the kernel's timers.
SLACK_S = 1.5


def _namespace_is_machine(arguments: Arguments, observation: Observation) -> Finding:
    def judge(container: ContainerSnapshot, state: NamespaceState) -> Finding:
        machine = observation.machine
        ok = machine is not None and state.netns == machine.netns
        expected = f"net:[{machine.netns}], the machine's" if machine else "the machine's network namespace"
        return Finding(ok, expected, f"net:[{state.netns}] of {container.name}")

    return judge_state(arguments, observation, "the machine's network namespace", judge)


def _namespace_differs(arguments: Arguments, observation: Observation) -> Finding:
    kind = str(arguments.get("namespace", "net"))

    def inode(state: NamespaceState | None) -> int:
        if state is None:
            return 0
        return state.netns if kind == "net" else state.namespaces.get(kind, 0)

    def judge(container: ContainerSnapshot, state: NamespaceState) -> Finding:
        own, machine = inode(state), inode(observation.machine)
        ok = bool(own) and bool(machine) and own != machine
        return Finding(ok, f"different from {kind}:[{machine}], the machine's", f"{kind}:[{own}] of {container.name}")

    return judge_state(arguments, observation, f"its own {kind} namespace", judge)


def _judge_address(arguments: Arguments, observation: Observation, expected: str, *, present: bool) -> Finding:
    def judge(container: ContainerSnapshot, _state: NamespaceState) -> Finding:
        observed = format_list(container.addresses, f"{container.name} has none")
        return Finding(bool(container.addresses) is present, expected, observed)

    return judge_state(arguments, observation, expected, judge)


# The contents of a namespace. ``place`` is the machine or a container.


def _listener(arguments: Arguments, observation: Observation) -> Finding:
    port, process, owner = int(arguments["port"]), arguments.get("process"), arguments.get("owner")
    state, place = resolve_place(arguments, observation)
    listeners = listeners_on(state, port)
    found = [
        listener
        for listener in listeners
        if (not process or listener.process == process)
        and (not owner or (listener.container is not None) == (owner == "container"))
    ]
    owner_text = f" of {'a container' if owner == 'container' else 'the machine'}" if owner else ""
    observed = format_list(
        (describe_owner(observation, listener) for listener in found or listeners),
        f"nothing listens on port {port} of {place}",
    )
    return Finding(bool(found), f"{process or 'a program'}{owner_text} listens on port {port} of {place}", observed)


def _no_listener(arguments: Arguments, observation: Observation) -> Finding:
    port = int(arguments["port"])
    state, place = resolve_place(arguments, observation)
    listeners = listeners_on(state, port)
    observed = format_list((describe_owner(observation, listener) for listener in listeners), "nothing listens")
    return Finding(state is not None and not listeners, f"nothing listens on port {port} of {place}", observed)


def _interface_present(arguments: Arguments, observation: Observation) -> Finding:
    state, place = resolve_place(arguments, observation)
    names = [interface.name for interface in state.interfaces] if state else []
    wanted = str(arguments["interface"])
    return Finding(wanted in names, f"{place} has {wanted}", format_list(names, "no interface"))


def _interface_absent(arguments: Arguments, observation: Observation) -> Finding:
    state, place = resolve_place(arguments, observation)
    names = [interface.name for interface in state.interfaces] if state else []
    wanted = str(arguments["interface"])
    ok = bool(names) and wanted not in names
    return Finding(ok, f"{place} has no {wanted}", format_list(names, "no interface"))


def _sysctl(arguments: Arguments, observation: Observation) -> Finding:
    state, place = resolve_place(arguments, observation)
    name, value = str(arguments["sysctl"]), str(arguments["value"])
    observed = " ".join((state.sysctls.get(name, "") if state else "").split())
    return Finding(observed == value, f"{name} = {value} in {place}", observed or "not readable")


# Names.

ORIGINS = {
    "machine": "the machine's own file",
    "copy": "a copy of the machine's file",
    "stripped": "the machine's servers without loopback ones",
    "fallback": "public servers, because no other was left",
    "docker": "Docker's own resolver",
    "given": "given by --dns",
    "other": "of another origin",
    "unreadable": "not readable",
}


def _resolver(arguments: Arguments, observation: Observation) -> Finding:
    state, place = resolve_place({"place": "container", **arguments}, observation)
    server, origin = str(arguments.get("nameserver", "")), str(arguments.get("origin", ""))
    expected = f"{place} uses " + (f"the nameserver {server}" if server else "nameservers")
    expected += f" ({ORIGINS[origin]})" if origin else ""
    if state is None:
        return no_match(observation, expected)
    resolver = state.resolver
    if resolver is None:
        return Finding(False, expected, "its resolv.conf cannot be read")
    ok = (not server or server in resolver.nameservers) and (not origin or resolver.origin == origin)
    servers = format_list(resolver.nameservers, "no nameserver")
    return Finding(ok, expected, f"{servers} ({ORIGINS.get(resolver.origin, resolver.origin)})")


def looked_up(
    arguments: Arguments, observation: Observation
) -> tuple[ContainerSnapshot | None, tuple[str, ...] | None]:
    """Returns the newest running container that matches (None if none matches), and the addresses to which the name in
    the check's arguments resolved in this container (None if the name was not looked up there)."""
    container = newest(observation, selector_of(arguments))
    lookups = container.state.lookups if container and container.state else ()
    made = [each for each in lookups if each.name == arguments["lookup"] and each.outcome not in NOT_MADE]
    return container, tuple(address for lookup in made for address in lookup.answers) if made else None


def _judge_lookup(arguments: Arguments, observation: Observation, *, resolves: bool) -> Finding:
    outcome = "has an address" if resolves else "is unknown"
    expected = f"the name {arguments['lookup']} {outcome} in {selector_of(arguments).describe()}"
    container, answers = looked_up(arguments, observation)
    if container is None:
        return no_match(observation, expected)
    if answers is None:
        return Finding(False, expected, f"the name could not be looked up in {container.name}")
    return Finding(bool(answers) is resolves, expected, format_list(answers, f"{container.name} finds no address"))


# Requests.


def connections_to(arguments: Arguments, observation: Observation) -> tuple[TcpConnection, ...]:
    """Returns the TCP connections to a port of the machine or of the selected container. Each is a request that the
    check counts. If the check selects a container, connections that ended before it started are omitted. If the check
    has the argument ``client``, only connections from this address are returned.

    Only the end that closed a connection keeps it in TIME_WAIT. So a connection seen in another namespace also counts,
    if its server address belongs to the selected namespace.
    """
    port, selector = int(arguments["port"]), selector_of(arguments)
    container = newest(observation, selector)
    on_machine = arguments.get("place", "machine") == "machine"
    state = observation.machine if on_machine else (container.state if container else None)
    selects_any = selector == ContainerSelector()
    if state is None or (container is None and not selects_any):
        return ()
    local = local_addresses(state)
    by_namespace = {c.state.netns: c.connections for c in observation.containers if c.state is not None}
    if observation.machine is not None:
        by_namespace[observation.machine.netns] = observation.connections
    since = container.started - SLACK_S if container and not selects_any else 0.0

    def reached(netns: int, server: str) -> bool:
        return netns == state.netns if server == "::1" or server.startswith("127.") else server in local

    client = str(arguments.get("client", ""))
    return tuple(
        connection
        for netns, connections in by_namespace.items()
        for connection in connections
        if connection.port == port
        and connection.last_open_at >= since
        and reached(netns, connection.server)
        and client in {"", address_of(connection.client)}
    )


def _requested(arguments: Arguments, observation: Observation) -> Finding:
    connections = connections_to(arguments, observation)
    clients = (f"a connection from {connection.client}" for connection in connections[:3])
    observed = format_list(clients, "no connection within the last minute")
    place = resolve_place(arguments, observation)[1]
    client = f" from {arguments['client']}" if "client" in arguments else ""
    return Finding(bool(connections), f"a request to port {arguments['port']} of {place}{client}", observed)


CHECK_TYPES: dict[str, CheckType] = {
    "namespace-is-machine": CheckType(
        "The container's network namespace is the machine's, by inode.", SELECTOR, (), _namespace_is_machine
    ),
    "namespace-differs": CheckType(
        "A namespace of the container is not the machine's, by inode.",
        {**SELECTOR, "namespace": "net|uts|mnt|pid|ipc"},
        (),
        _namespace_differs,
    ),
    "address-absent": CheckType(
        "The Engine gave the container no address.",
        SELECTOR,
        (),
        partial(_judge_address, expected="no IP address of its own", present=False),
    ),
    "address-present": CheckType(
        "The Engine gave the container an address.",
        SELECTOR,
        (),
        partial(_judge_address, expected="its own IP address", present=True),
    ),
    "listener": CheckType(
        "A program listens on a TCP port, as sock_diag shows it.",
        {**PLACE, "port": "port", "process": "text", "owner": "container|machine"},
        ("port",),
        _listener,
    ),
    "no-listener": CheckType("Nothing listens on the TCP port.", {**PLACE, "port": "port"}, ("port",), _no_listener),
    "interface-present": CheckType(
        "An interface has this name.", {**PLACE, "interface": "text"}, ("interface",), _interface_present
    ),
    "interface-absent": CheckType(
        "No interface has this name.", {**PLACE, "interface": "text"}, ("interface",), _interface_absent
    ),
    "sysctl": CheckType(
        "A network sysctl has this value.",
        {**PLACE, "sysctl": "text", "value": "text"},
        ("sysctl", "value"),
        _sysctl,
    ),
    "resolver": CheckType(
        "The container's resolv.conf names this server, or has this origin.",
        {**SELECTOR, "nameserver": "text", "origin": "|".join(ORIGINS)},
        (),
        _resolver,
    ),
    "name-resolves": CheckType(
        "The name has an address when looked up in the container.",
        {**SELECTOR, "lookup": "text"},
        ("lookup",),
        partial(_judge_lookup, resolves=True),
    ),
    "name-unknown": CheckType(
        "The name has no address in the container.",
        {**SELECTOR, "lookup": "text"},
        ("lookup",),
        partial(_judge_lookup, resolves=False),
    ),
    "requested": CheckType(
        "A client connected to the TCP port within the last minute, and since the container started. `client` is its "
        "address, also of another machine on the LAN.",
        {**PLACE, "port": "port", "client": "text"},
        ("port",),
        _requested,
    ),
}
