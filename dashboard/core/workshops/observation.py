"""What is seen of a whole engine at one instant: every container, whoever launched it, and the machine.

Exercises are judged by this and by nothing else, so that it does not matter whether a command was typed or a button
was pressed. Sources: Docker Engine API (inspect), namespaces(7), rtnetlink(7), sock_diag(7), resolv.conf(5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.modes import Mode
from dashboard.core.namespaces.state import Listener, NamespaceState

#: What stands in for nginx where no registry answers (``engine.images``).
STAND_IN = "netmodes-lab"
_DRIVERS = {"macvlan": Mode.MACVLAN, "ipvlan": Mode.IPVLAN, "overlay": Mode.OVERLAY}


@dataclass(frozen=True, slots=True)
class Contact:
    """A TCP connection to ``server``:``port``, open now or ended within the last minute (TIME_WAIT, tcp(7)).

    ``at`` is the last moment at which it is known to have been open, in seconds since the epoch.
    """

    server: str
    port: int
    client: str
    at: float


@dataclass(frozen=True, slots=True)
class SeenContainer:
    """One container. ``started`` in seconds since the epoch, 0 if it never was; ``target`` is the id of the
    container whose network namespace it shares; ``last_words`` are the last lines of one that ended;
    ``state`` is None where it does not run or could not be read."""

    id: str
    name: str
    image: str
    mode: str
    status: str
    running: bool = False
    started: float = 0.0
    exit_code: int | None = None
    error: str = ""
    last_words: tuple[str, ...] = ()
    target: str = ""
    asked: tuple[PublishedPort, ...] = ()
    published: tuple[PublishedPort, ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict)
    state: NamespaceState | None = None
    contacts: tuple[Contact, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that the Engine gave it."""
        return tuple(address for address in self.networks.values() if address)


@dataclass(frozen=True, slots=True)
class Observation:
    """``networks`` maps names to drivers, without Docker's own three; ``contacts`` are those of the machine's
    namespace; ``problem`` says what could not be read."""

    at: float
    machine: NamespaceState | None = None
    containers: tuple[SeenContainer, ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict)
    images: frozenset[str] = frozenset()
    contacts: tuple[Contact, ...] = ()
    problem: str = ""

    @property
    def running(self) -> tuple[SeenContainer, ...]:
        """The containers that run, the newest first."""
        found = (one for one in self.containers if one.running)
        return tuple(sorted(found, key=lambda one: (-one.started, one.name)))

    def by_id(self, identity: str) -> SeenContainer | None:
        """A container by its full id."""
        return next((one for one in self.containers if one.id == identity), None)


def mode_of(network_mode: str, drivers: Mapping[str, str]) -> str:
    """The mode of a container from ``HostConfig.NetworkMode`` and the drivers of all networks by name."""
    if network_mode.startswith("container:"):
        return Mode.CONTAINER
    if network_mode in {"default", "bridge", ""}:
        return Mode.BRIDGE
    if network_mode in {"host", "none"}:
        return network_mode
    return _DRIVERS.get(drivers.get(network_mode, "bridge"), Mode.USER_BRIDGE)


def is_image(given: str, wanted: str) -> bool:
    """Whether a container's image is the one wanted; the lab image stands in for nginx."""
    given, wanted = (one.removesuffix(":latest") for one in (given, wanted))
    return given == wanted or (wanted == "nginx" and given.partition(":")[0] in {STAND_IN, "nginx"})


@dataclass(frozen=True, slots=True)
class Which:
    """Which containers are meant; what is empty does not matter."""

    mode: str = ""
    image: str = ""
    name: str = ""

    def fits(self, one: SeenContainer) -> bool:
        """Whether the container is one of them, running or not."""
        return (
            (not self.mode or one.mode == self.mode)
            and (not self.image or is_image(one.image, self.image))
            and (not self.name or one.name == self.name)
        )

    def said(self, article: str = "a container") -> str:
        """In words: ``a container of nginx in mode host called web``."""
        parts = (
            f"of {self.image}" if self.image else "",
            f"in mode {self.mode}" if self.mode else "",
            f"called {self.name}" if self.name else "",
        )
        return " ".join(part for part in (article, *parts) if part)


def running(observation: Observation, which: Which) -> tuple[SeenContainer, ...]:
    """Those that run, the newest first."""
    return tuple(one for one in observation.running if which.fits(one))


def newest(observation: Observation, which: Which) -> SeenContainer | None:
    """The one that was started last, of those that run."""
    return next(iter(running(observation, which)), None)


def listeners_on(state: NamespaceState | None, port: int, protocol: str = "tcp") -> tuple[Listener, ...]:
    """Who listens on a port of a namespace."""
    return tuple(one for one in (state.listeners if state else ()) if one.port == port and one.protocol == protocol)


def owner_of(observation: Observation, listener: Listener) -> str:
    """Who holds a socket, in words: ``nginx of container web``, ``docker-proxy of the machine``."""
    process = listener.process or "a process that cannot be seen"
    if listener.container is None:
        return f"{process} of the machine"
    found = observation.by_id(listener.container)
    return f"{process} of container {found.name if found else listener.container[:12]}"


def told(items: Iterable[str], nothing: str) -> str:
    """A list in words, each once."""
    return ", ".join(dict.fromkeys(items)) or nothing


def local_addresses(state: NamespaceState) -> frozenset[str]:
    """Every address of a namespace, without its prefix."""
    return frozenset(one.address for link in state.interfaces for one in link.addresses)
