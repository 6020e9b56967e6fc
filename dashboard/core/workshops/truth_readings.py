"""What a prediction is held against: one word, read from an observation. ``docs/workshops.md`` documents them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dashboard.core.workshops.checks.check_types import PLACE, WHICH, Arguments, place_of, which_of
from dashboard.core.workshops.checks.namespaces import contacts_on, looked_up
from dashboard.core.workshops.observation import Observation, listeners_on, newest, told

NOBODY = "nobody"
NOTHING = "nothing"
GONE = "gone"


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a step: its kind and what it is asked with."""

    kind: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class ReadingKind:
    """One word of the vocabulary; ``values`` says what it can be, ``…`` for any text."""

    about: str
    parameters: Mapping[str, str]
    required: tuple[str, ...]
    values: tuple[str, ...]
    read: Callable[[Arguments, Observation], str]


def _namespace(arguments: Arguments, observation: Observation) -> str:
    kind = str(arguments.get("namespace", "net"))
    found = newest(observation, which_of(arguments))
    if found is None or found.state is None or observation.machine is None:
        return ""
    if kind == "net":
        return "machine" if found.state.netns == observation.machine.netns else "own"
    return "machine" if found.state.namespaces.get(kind) == observation.machine.namespaces.get(kind) else "own"


def _listener_process(arguments: Arguments, observation: Observation) -> str:
    there = listeners_on(place_of(arguments, observation)[0], int(arguments["port"]))
    return told((one.process or "unknown" for one in there), NOBODY)


def _container_status(arguments: Arguments, observation: Observation) -> str:
    which = which_of(arguments)
    found = max((one for one in observation.containers if which.fits(one)), key=lambda one: one.started, default=None)
    return found.status if found else GONE


def _published(arguments: Arguments, observation: Observation) -> str:
    found = newest(observation, which_of(arguments))
    return "" if found is None else told((str(one.host_port) for one in found.published), NOTHING)


def _address_count(arguments: Arguments, observation: Observation) -> str:
    found = newest(observation, which_of(arguments))
    return "" if found is None else str(len(found.addresses))


def _interface_count(arguments: Arguments, observation: Observation) -> str:
    state = place_of({"place": "container", **arguments}, observation)[0]
    return "" if state is None else str(len(state.interfaces))


def _nameserver(arguments: Arguments, observation: Observation) -> str:
    state = place_of({"place": "container", **arguments}, observation)[0]
    return told(state.resolver.nameservers, NOTHING) if state and state.resolver else ""


def _resolver_origin(arguments: Arguments, observation: Observation) -> str:
    state = place_of({"place": "container", **arguments}, observation)[0]
    return str(state.resolver.origin) if state and state.resolver else ""


def _name_resolves(arguments: Arguments, observation: Observation) -> str:
    found, answers = looked_up(arguments, observation)
    return "" if found is None else ("yes" if answers else "no")


def _client_seen(arguments: Arguments, observation: Observation) -> str:
    found = contacts_on(arguments, observation)
    return max(found, key=lambda one: one.at).client.rpartition(":")[0].strip("[]") if found else ""


def _sysctl(arguments: Arguments, observation: Observation) -> str:
    state = place_of(arguments, observation)[0]
    return " ".join(state.sysctls.get(str(arguments["sysctl"]), "").split()) if state else ""


READINGS: dict[str, ReadingKind] = {
    "namespace": ReadingKind(
        "Whose namespace the container has.",
        {**WHICH, "namespace": "net|uts|mnt|pid|ipc"},
        (),
        ("machine", "own"),
        _namespace,
    ),
    "listener-process": ReadingKind(
        "The process that listens on the TCP port.",
        {**PLACE, "port": "port"},
        ("port",),
        ("…", NOBODY),
        _listener_process,
    ),
    "container-status": ReadingKind(
        "What became of the newest such container.",
        WHICH,
        (),
        ("created", "running", "exited", GONE),
        _container_status,
    ),
    "published": ReadingKind("The ports that the Engine really published.", WHICH, (), ("…", NOTHING), _published),
    "address-count": ReadingKind("How many addresses the Engine gave it.", WHICH, (), ("…",), _address_count),
    "interface-count": ReadingKind("How many interfaces it sees.", WHICH, (), ("…",), _interface_count),
    "nameserver": ReadingKind("The nameservers of its resolv.conf.", WHICH, (), ("…", NOTHING), _nameserver),
    "resolver-origin": ReadingKind(
        "Where its resolv.conf comes from.",
        WHICH,
        (),
        ("copy", "stripped", "fallback", "docker", "given", "other"),
        _resolver_origin,
    ),
    "name-resolves": ReadingKind(
        "Whether the name has an address there.",
        {**WHICH, "lookup": "text"},
        ("lookup",),
        ("yes", "no"),
        _name_resolves,
    ),
    "client-seen": ReadingKind(
        "The address from which the last request came.", {**PLACE, "port": "port"}, ("port",), ("…",), _client_seen
    ),
    "sysctl": ReadingKind(
        "The value of a sysctl of the network.", {**PLACE, "sysctl": "text"}, ("sysctl",), ("…",), _sysctl
    ),
}


def read(reading: Reading, observation: Observation) -> str:
    """The word, empty where it cannot be told now."""
    return READINGS[reading.kind].read(reading.arguments, observation)
