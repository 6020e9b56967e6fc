"""Checks of namespaces, listeners, interfaces, resolvers and requests: what the kernel says."""

from __future__ import annotations

from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.workshops.checks.check_types import (
    PLACE,
    WHICH,
    Arguments,
    Finding,
    Kind,
    missing,
    place_of,
    which_of,
    with_state,
)
from dashboard.core.workshops.observation import (
    Contact,
    Observation,
    SeenContainer,
    Which,
    listeners_on,
    local_addresses,
    newest,
    owner_of,
    told,
)

#: How far the Engine's clock and the kernel's timers may lie apart.
SLACK_S = 1.5
_LOOPBACK = frozenset({"::1"})


def _namespace_is_machine(arguments: Arguments, observation: Observation) -> Finding:
    def judge(one: SeenContainer, state: NamespaceState) -> Finding:
        machine = observation.machine
        ok = machine is not None and state.netns == machine.netns
        expected = f"net:[{machine.netns}], the machine's" if machine else "the machine's network namespace"
        return Finding(ok, expected, f"net:[{state.netns}] of {one.name}")

    return with_state(arguments, observation, "the machine's network namespace", judge)


def _namespace_differs(arguments: Arguments, observation: Observation) -> Finding:
    kind = str(arguments.get("namespace", "net"))

    def inode(state: NamespaceState | None) -> int:
        if state is None:
            return 0
        return state.netns if kind == "net" else state.namespaces.get(kind, 0)

    def judge(one: SeenContainer, state: NamespaceState) -> Finding:
        own, machine = inode(state), inode(observation.machine)
        ok = bool(own) and bool(machine) and own != machine
        return Finding(ok, f"another one than {kind}:[{machine}], the machine's", f"{kind}:[{own}] of {one.name}")

    return with_state(arguments, observation, f"a {kind} namespace of its own", judge)


def _address_absent(arguments: Arguments, observation: Observation) -> Finding:
    def judge(one: SeenContainer, _state: NamespaceState) -> Finding:
        return Finding(not one.addresses, "no address of its own", told(one.addresses, f"{one.name} has none"))

    return with_state(arguments, observation, "no address of its own", judge)


def _address_present(arguments: Arguments, observation: Observation) -> Finding:
    def judge(one: SeenContainer, _state: NamespaceState) -> Finding:
        return Finding(bool(one.addresses), "an address of its own", told(one.addresses, f"{one.name} has none"))

    return with_state(arguments, observation, "an address of its own", judge)


# What a namespace holds. ``place`` is the machine or a container.


def _listener(arguments: Arguments, observation: Observation) -> Finding:
    port, process, owner = int(arguments["port"]), arguments.get("process"), arguments.get("owner")
    state, where = place_of(arguments, observation)
    there = listeners_on(state, port)
    found = [
        one
        for one in there
        if (not process or one.process == process)
        and (not owner or (one.container is not None) == (owner == "container"))
    ]
    who = str(process or "a program") + (
        f" of {'a container' if owner == 'container' else 'the machine'}" if owner else ""
    )
    observed = told((owner_of(observation, one) for one in found or there), f"nobody listens on port {port} of {where}")
    return Finding(bool(found), f"{who} listens on port {port} of {where}", observed)


def _no_listener(arguments: Arguments, observation: Observation) -> Finding:
    port = int(arguments["port"])
    state, where = place_of(arguments, observation)
    there = listeners_on(state, port)
    observed = told((owner_of(observation, one) for one in there), "nobody listens")
    return Finding(state is not None and not there, f"nobody listens on port {port} of {where}", observed)


def _interface_present(arguments: Arguments, observation: Observation) -> Finding:
    state, where = place_of(arguments, observation)
    names = [one.name for one in state.interfaces] if state else []
    wanted = str(arguments["interface"])
    return Finding(wanted in names, f"{where} has {wanted}", told(names, "no interface"))


def _interface_absent(arguments: Arguments, observation: Observation) -> Finding:
    state, where = place_of(arguments, observation)
    names = [one.name for one in state.interfaces] if state else []
    wanted = str(arguments["interface"])
    return Finding(bool(names) and wanted not in names, f"{where} has no {wanted}", told(names, "no interface"))


def _sysctl(arguments: Arguments, observation: Observation) -> Finding:
    state, where = place_of(arguments, observation)
    name, value = str(arguments["sysctl"]), str(arguments["value"])
    observed = " ".join((state.sysctls.get(name, "") if state else "").split())
    return Finding(observed == value, f"{name} = {value} in {where}", observed or "not readable")


# Names.


def _resolver(arguments: Arguments, observation: Observation) -> Finding:
    state, where = place_of({"place": "container", **arguments}, observation)
    server, origin = str(arguments.get("nameserver", "")), str(arguments.get("origin", ""))
    expected = " ".join(
        part
        for part in (
            f"{where} asks",
            f"the nameserver {server}" if server else "nameservers",
            f"({ORIGINS[origin]})" if origin else "",
        )
        if part
    )
    found = state.resolver if state else None
    if found is None:
        return missing(observation, expected) if state is None else Finding(False, expected, "its file cannot be read")
    ok = (not server or server in found.nameservers) and (not origin or found.origin == origin)
    return Finding(
        ok, expected, f"{told(found.nameservers, 'no nameserver')} ({ORIGINS.get(found.origin, found.origin)})"
    )


ORIGINS = {
    "machine": "the machine's own file",
    "copy": "a copy of the machine's file",
    "stripped": "the machine's servers without loopback ones",
    "fallback": "public servers, since the machine's are loopback ones",
    "docker": "Docker's own resolver",
    "given": "given by --dns",
    "other": "written by something else",
    "unreadable": "not readable",
}


def looked_up(arguments: Arguments, observation: Observation) -> tuple[SeenContainer | None, tuple[str, ...]]:
    """The container that was asked for a name, and the answers that it got."""
    found = newest(observation, which_of(arguments))
    lookups = found.state.lookups if found and found.state else ()
    return found, tuple(a for one in lookups if one.name == arguments["lookup"] for a in one.answers)


def _name_resolves(arguments: Arguments, observation: Observation) -> Finding:
    expected = f"the name {arguments['lookup']} has an address in {which_of(arguments).said()}"
    found, answers = looked_up(arguments, observation)
    if found is None:
        return missing(observation, expected)
    return Finding(bool(answers), expected, told(answers, f"{found.name} finds no address"))


def _name_unknown(arguments: Arguments, observation: Observation) -> Finding:
    expected = f"the name {arguments['lookup']} is unknown in {which_of(arguments).said()}"
    found, answers = looked_up(arguments, observation)
    if found is None:
        return missing(observation, expected)
    return Finding(not answers, expected, told(answers, f"{found.name} finds no address"))


# Requests.


def contacts_on(arguments: Arguments, observation: Observation) -> tuple[Contact, ...]:
    """Requests to a port that reached this very place, since the container in question was started.

    The end that closed a connection remembers it: what left another namespace for an address of this one counts too.
    """
    port, which = int(arguments["port"]), which_of(arguments)
    found = newest(observation, which)
    here = arguments.get("place", "machine") == "machine"
    state = observation.machine if here else (found.state if found else None)
    if state is None or (which != Which() and found is None):
        return ()
    local = local_addresses(state)
    own = {one.state.netns: one.contacts for one in observation.containers if one.state is not None}
    if observation.machine is not None:
        own[observation.machine.netns] = observation.contacts
    since = found.started - SLACK_S if found and which != Which() else 0.0
    return tuple(
        one
        for netns, contacts in own.items()
        for one in contacts
        if one.port == port and one.at >= since
        if (netns == state.netns if one.server in _LOOPBACK or one.server.startswith("127.") else one.server in local)
    )


def _requested(arguments: Arguments, observation: Observation) -> Finding:
    where = place_of(arguments, observation)[1]
    found = contacts_on(arguments, observation)
    observed = told((f"a connection from {one.client}" for one in found[:3]), "no connection within the last minute")
    return Finding(bool(found), f"a request to port {arguments['port']} of {where}", observed)


KINDS: dict[str, Kind] = {
    "namespace-is-machine": Kind(
        "The container's network namespace is the machine's, by inode.", WHICH, (), _namespace_is_machine
    ),
    "namespace-differs": Kind(
        "A namespace of the container is another one than the machine's, by inode.",
        {**WHICH, "namespace": "net|uts|mnt|pid|ipc"},
        (),
        _namespace_differs,
    ),
    "address-absent": Kind("The Engine gave the container no address.", WHICH, (), _address_absent),
    "address-present": Kind("The Engine gave the container an address.", WHICH, (), _address_present),
    "listener": Kind(
        "A program listens on a TCP port, as sock_diag shows it.",
        {**PLACE, "port": "port", "process": "text", "owner": "container|machine"},
        ("port",),
        _listener,
    ),
    "no-listener": Kind("Nobody listens on the TCP port.", {**PLACE, "port": "port"}, ("port",), _no_listener),
    "interface-present": Kind(
        "There is an interface of this name.", {**PLACE, "interface": "text"}, ("interface",), _interface_present
    ),
    "interface-absent": Kind(
        "There is no such interface.", {**PLACE, "interface": "text"}, ("interface",), _interface_absent
    ),
    "sysctl": Kind(
        "A sysctl of the network has this value.",
        {**PLACE, "sysctl": "text", "value": "text"},
        ("sysctl", "value"),
        _sysctl,
    ),
    "resolver": Kind(
        "The container's resolv.conf names this server, or comes from there.",
        {**WHICH, "nameserver": "text", "origin": "|".join(ORIGINS)},
        (),
        _resolver,
    ),
    "name-resolves": Kind(
        "The name has an address, asked from inside the container.",
        {**WHICH, "lookup": "text"},
        ("lookup",),
        _name_resolves,
    ),
    "name-unknown": Kind("The name has none there.", {**WHICH, "lookup": "text"}, ("lookup",), _name_unknown),
    "requested": Kind(
        "Somebody connected to the TCP port within the last minute, and since the container was started.",
        {**PLACE, "port": "port"},
        ("port",),
        _requested,
    ),
}
