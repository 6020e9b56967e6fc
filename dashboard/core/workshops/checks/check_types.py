"""What checks are made of: arguments in, a finding out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.workshops.observation import Observation, SeenContainer, Which, newest, told

Value = str | int
Arguments = Mapping[str, Value]

#: Parameters that say which containers are meant, and where to look.
WHICH = {"mode": "text", "image": "text", "name": "text"}
PLACE = {"place": "machine|container", **WHICH}


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a step: its kind, what it is asked with, and what is said in its place when it fails."""

    kind: str
    arguments: Arguments
    otherwise: str = ""

    @property
    def which(self) -> Which:
        """The containers that it is about."""
        return which_of(self.arguments)


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a check, in words that can stand side by side."""

    ok: bool
    expected: str
    observed: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One word of the vocabulary. ``parameters`` map names to ``text``, ``port``, ``number`` or ``a|b|c``."""

    about: str
    parameters: Mapping[str, str]
    required: tuple[str, ...]
    judge: Callable[[Arguments, Observation], Finding]


def which_of(arguments: Arguments) -> Which:
    """``mode``, ``image`` and ``name`` of the arguments."""
    return Which(*(str(arguments.get(key, "")) for key in WHICH))


def said(one: SeenContainer) -> str:
    """A container in a few words."""
    return f"{one.name} ({one.image}, mode {one.mode}) {'runs' if one.running else 'is ' + one.status}"


def missing(observation: Observation, expected: str) -> Finding:
    """No container fits: what runs instead."""
    return Finding(False, expected, told((said(one) for one in observation.running[:4]), "no container runs"))


def with_state(
    arguments: Arguments,
    observation: Observation,
    expected: str,
    judge: Callable[[SeenContainer, NamespaceState], Finding],
) -> Finding:
    """What ``judge`` says of the newest container that fits and its state; a failure where there is none."""
    found = newest(observation, which_of(arguments))
    if found is None:
        return missing(observation, expected)
    if found.state is None:
        return Finding(False, expected, f"the namespaces of {found.name} could not be read")
    return judge(found, found.state)


def place_of(arguments: Arguments, observation: Observation) -> tuple[NamespaceState | None, str]:
    """The namespace that ``place`` means, and its name."""
    if arguments.get("place", "machine") == "machine":
        return observation.machine, "this machine"
    found = newest(observation, which_of(arguments))
    return (found.state, found.name) if found else (None, which_of(arguments).said())
