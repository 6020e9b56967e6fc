"""Reads from an observation the word that decides whether a prediction was right (``docs/workshops.md``)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dashboard.core.namespaces.addresses import address_of
from dashboard.core.workshops.checks.check_types import PLACE, SELECTOR, Arguments, resolve_place, selector_of
from dashboard.core.workshops.checks.namespaces import connections_to, looked_up
from dashboard.core.workshops.observation import Observation, format_list, listeners_on, matching, newest

NOBODY = "nobody"
NOTHING = "nothing"
GONE = "gone"


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read for a step's prediction: the type of the reading and its arguments."""

    kind: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class ReadingType:
    """A type of reading. ``about`` is its documentation. ``parameters`` maps the names of its arguments to their forms
    (see ``argument_problem``). ``required`` are the names of arguments that must be given. ``values`` are the possible
    results; ``…`` stands for any text."""

    about: str
    parameters: Mapping[str, str]
    required: tuple[str, ...]
    values: tuple[str, ...]
    read: Callable[[Arguments, Observation], str]


def _namespace(arguments: Arguments, observation: Observation) -> str:
    kind = str(arguments.get("namespace", "net"))
    container, machine = newest(observation, selector_of(arguments)), observation.machine
    if container is None or container.state is None or machine is None:
        return ""
    state = container.state
    same = state.netns == machine.netns if kind == "net" else state.namespaces.get(kind) == machine.namespaces.get(kind)
    return "machine" if same else "own"


def _listener_process(arguments: Arguments, observation: Observation) -> str:
    listeners = listeners_on(resolve_place(arguments, observation)[0], int(arguments["port"]))
    return format_list((listener.process or "unknown" for listener in listeners), NOBODY)


def _container_status(arguments: Arguments, observation: Observation) -> str:
    containers = matching(observation, selector_of(arguments))
    return max(containers, key=lambda container: container.started).status if containers else GONE


def _published(arguments: Arguments, observation: Observation) -> str:
    container = newest(observation, selector_of(arguments))
    return "" if container is None else format_list((str(port.host_port) for port in container.published), NOTHING)


def _address_count(arguments: Arguments, observation: Observation) -> str:
    container = newest(observation, selector_of(arguments))
    return "" if container is None else str(len(container.addresses))


def _interface_count(arguments: Arguments, observation: Observation) -> str:
    state = resolve_place({"place": "container", **arguments}, observation)[0]
    return "" if state is None else str(len(state.interfaces))


def _nameserver(arguments: Arguments, observation: Observation) -> str:
    state = resolve_place({"place": "container", **arguments}, observation)[0]
    return format_list(state.resolver.nameservers, NOTHING) if state and state.resolver else ""


def _resolver_origin(arguments: Arguments, observation: Observation) -> str:
    state = resolve_place({"place": "container", **arguments}, observation)[0]
    return str(state.resolver.origin) if state and state.resolver else ""


def _name_resolves(arguments: Arguments, observation: Observation) -> str:
    _container, answers = looked_up(arguments, observation)
    return "" if answers is None else ("yes" if answers else "no")


def _client_seen(arguments: Arguments, observation: Observation) -> str:
    connections = connections_to(arguments, observation)
    if not connections:
        return ""
    return address_of(max(connections, key=lambda connection: connection.last_open_at).client)


def _sysctl(arguments: Arguments, observation: Observation) -> str:
    state = resolve_place(arguments, observation)[0]
    return " ".join(state.sysctls.get(str(arguments["sysctl"]), "").split()) if state else ""


READINGS: dict[str, ReadingType] = {
    "namespace": ReadingType(
        "Whether the container has the machine's namespace or its own.",
        {**SELECTOR, "namespace": "net|uts|mnt|pid|ipc"},
        (),
        ("machine", "own"),
        _namespace,
    ),
    "listener-process": ReadingType(
        "The process that listens on the TCP port.",
        {**PLACE, "port": "port"},
        ("port",),
        ("…", NOBODY),
        _listener_process,
    ),
    "container-status": ReadingType(
        "The status of the newest matching container.",
        SELECTOR,
        (),
        ("created", "running", "exited", GONE),
        _container_status,
    ),
    "published": ReadingType("The ports that the Engine published.", SELECTOR, (), ("…", NOTHING), _published),
    "address-count": ReadingType(
        "The number of addresses that the Engine assigned.", SELECTOR, (), ("…",), _address_count
    ),
    "interface-count": ReadingType(
        "The number of interfaces in the container.", SELECTOR, (), ("…",), _interface_count
    ),
    "nameserver": ReadingType(
        "The nameservers of the container's resolv.conf.", SELECTOR, (), ("…", NOTHING), _nameserver
    ),
    "resolver-origin": ReadingType(
        "The origin of the container's resolv.conf.",
        SELECTOR,
        (),
        ("copy", "stripped", "fallback", "docker", "given", "other"),
        _resolver_origin,
    ),
    "name-resolves": ReadingType(
        "Whether the name has an address in the container.",
        {**SELECTOR, "lookup": "text"},
        ("lookup",),
        ("yes", "no"),
        _name_resolves,
    ),
    "client-seen": ReadingType(
        "The client address of the last request.", {**PLACE, "port": "port"}, ("port",), ("…",), _client_seen
    ),
    "sysctl": ReadingType("The value of a network sysctl.", {**PLACE, "sysctl": "text"}, ("sysctl",), ("…",), _sysctl),
}


def read(reading: Reading, observation: Observation) -> str:
    """Returns the result of the reading as one word, empty if it cannot be read now."""
    return READINGS[reading.kind].read(reading.arguments, observation)
