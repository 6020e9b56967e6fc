"""The types of checks: what each expects as arguments, and how it turns an observation into a finding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.workshops.observation import ContainerSelector, ContainerSnapshot, Observation, format_list, newest

Value = str | int
Arguments = Mapping[str, Value]

#: Parameters that select containers, and where to look.
SELECTOR = {"mode": "text", "image": "text", "name": "text"}
PLACE = {"place": "machine|container", **SELECTOR}


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a step: its type, its arguments, and a text to show if it fails."""

    kind: str
    arguments: Arguments
    otherwise: str = ""

    @property
    def selector(self) -> ContainerSelector:
        """The containers that the check concerns."""
        return selector_of(self.arguments)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check, as texts for a table."""

    ok: bool
    expected: str
    observed: str


@dataclass(frozen=True, slots=True)
class CheckType:
    """One entry of the vocabulary. ``parameters`` map names to ``text``, ``port``, ``number`` or ``a|b|c``."""

    about: str
    parameters: Mapping[str, str]
    required: tuple[str, ...]
    judge: Callable[[Arguments, Observation], Finding]


def selector_of(arguments: Arguments) -> ContainerSelector:
    """The selector with ``mode``, ``image`` and ``name`` of the arguments."""
    return ContainerSelector(*(str(arguments.get(key, "")) for key in SELECTOR))


def describe_container(container: ContainerSnapshot) -> str:
    """Name, image, mode and status."""
    status = "running" if container.running else container.status
    return f"{container.name} ({container.image}, mode {container.mode}) {status}"


def no_match(observation: Observation, expected: str) -> Finding:
    """The failure if no container matches: it lists what runs instead."""
    others = map(describe_container, observation.running[:4])
    return Finding(False, expected, format_list(others, "no container runs"))


def judge_state(
    arguments: Arguments,
    observation: Observation,
    expected: str,
    judge: Callable[[ContainerSnapshot, NamespaceState], Finding],
) -> Finding:
    """The finding of ``judge`` about the newest matching container and its state; a failure if no container matches."""
    container = newest(observation, selector_of(arguments))
    if container is None:
        return no_match(observation, expected)
    if container.state is None:
        return Finding(False, expected, f"the namespaces of {container.name} could not be read")
    return judge(container, container.state)


def resolve_place(arguments: Arguments, observation: Observation) -> tuple[NamespaceState | None, str]:
    """The namespace that ``place`` selects, and its name."""
    if arguments.get("place", "machine") == "machine":
        return observation.machine, "this machine"
    selector = selector_of(arguments)
    container = newest(observation, selector)
    return (container.state, container.name) if container else (None, selector.describe())
