"""What a check is: its type, the arguments that the type expects, and its result."""

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
    """One check of a step: its type, its arguments, and the advice if it fails (``otherwise``, may be empty)."""

    kind: str
    arguments: Arguments
    otherwise: str = ""

    @property
    def selector(self) -> ContainerSelector:
        """Selects the containers that the check concerns."""
        return selector_of(self.arguments)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check. ``ok`` is true if the check holds. ``expected`` and ``observed`` are texts for a table."""

    ok: bool
    expected: str
    observed: str


@dataclass(frozen=True, slots=True)
class CheckType:
    """A type of check. ``about`` is its documentation. ``parameters`` maps the names of its arguments to their forms
    (see ``argument_problem``). ``required`` are the names of arguments that must be given. ``judge`` decides whether a
    check of this type holds."""

    about: str
    parameters: Mapping[str, str]
    required: tuple[str, ...]
    judge: Callable[[Arguments, Observation], Finding]


def selector_of(arguments: Arguments) -> ContainerSelector:
    """Returns a selector with the arguments ``mode``, ``image`` and ``name``."""
    return ContainerSelector(*(str(arguments.get(key, "")) for key in SELECTOR))


def describe_container(container: ContainerSnapshot) -> str:
    """Formats a container as ``NAME (IMAGE, mode MODE) STATUS``."""
    status = "running" if container.running else container.status
    return f"{container.name} ({container.image}, mode {container.mode}) {status}"


def no_match(observation: Observation, expected: str) -> Finding:
    """Returns the finding of a check for which no container matches: the check fails, and up to four running containers
    are listed as observed. ``expected`` is the sentence that states the check's expectation."""
    others = map(describe_container, observation.running[:4])
    return Finding(False, expected, format_list(others, "no container runs"))


def judge_state(
    arguments: Arguments,
    observation: Observation,
    expected: str,
    judge: Callable[[ContainerSnapshot, NamespaceState], Finding],
) -> Finding:
    """Returns the finding of ``judge``, called with the newest running container that matches and with its network
    state. If no container matches, or if its state could not be read, the check fails. The finding then states
    ``expected`` as the expectation."""
    container = newest(observation, selector_of(arguments))
    if container is None:
        return no_match(observation, expected)
    if container.state is None:
        return Finding(False, expected, f"the namespaces of {container.name} could not be read")
    return judge(container, container.state)


def resolve_place(arguments: Arguments, observation: Observation) -> tuple[NamespaceState | None, str]:
    """Returns the network state that a check looks at, and a name for it. The argument ``place`` selects the machine or
    the newest running container that matches. The state is None if it could not be read, or if no container matches."""
    if arguments.get("place", "machine") == "machine":
        return observation.machine, "this machine"
    selector = selector_of(arguments)
    container = newest(observation, selector)
    return (container.state, container.name) if container else (None, selector.describe())
