"""What Netmodes asks of a Docker Engine, in its own words. ``docker_engine`` implements it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dashboard.core.experiments.messages import PublishedPort


class EngineError(Exception):
    """The Engine refused; ``str()`` is Docker's own sentence. ``status`` is its HTTP status."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


class EngineUnreachable(EngineError):  # noqa: N818  says what is the matter
    """No answer: no socket, no permission, stopped, or past the deadline."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """From /version, /info and the socket's peer. ``pid`` is the daemon's, found with SO_PEERCRED,
    None where the daemon is not a process of this machine (Docker Desktop, TCP)."""

    version: str
    api: str
    name: str
    kernel: str
    system: str
    rootless: bool
    userns_remap: bool
    desktop: bool
    swarm_active: bool
    cgroup_driver: str
    cgroup_version: str
    network_plugins: tuple[str, ...]
    firewall_backend: str
    pid: int | None
    endpoint: str


@dataclass(frozen=True, slots=True)
class Created:
    """The answer to a create: ``warnings`` appear here and nowhere else."""

    id: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """What inspect says. ``pid`` is 0 when it does not run. Ports as published and as asked.
    ``networks`` maps a network's name to the address the Engine assigned (may be empty text)."""

    id: str
    name: str
    image: str
    labels: dict[str, str]
    status: str
    running: bool
    pid: int
    started_at: str
    exit_code: int | None
    error: str
    network_mode: str
    sandbox_key: str
    resolv_conf_path: str
    hosts_path: str
    hostname: str
    published: tuple[PublishedPort, ...]
    asked: tuple[PublishedPort, ...]
    networks: dict[str, str]
    dns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """A network, with its labels and its first IPAM subnet and gateway if any.
    ``bridge`` is the Linux name of its bridge (docker0, br-<id>), None for other drivers."""

    id: str
    name: str
    driver: str
    labels: dict[str, str]
    subnet: str | None = None
    gateway: str | None = None
    bridge: str | None = None


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A local image. ``exposed`` are ports like ``80/tcp``."""

    id: str
    tags: tuple[str, ...]
    exposed: tuple[str, ...]
    size_bytes: int
    created: str = ""
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PullProgress:
    """One step of a pull; ``fraction`` is None where the size is not known."""

    text: str
    fraction: float | None


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One event: ``kind`` is container, network or ``daemon``; ``labels`` of the object; ``at`` in seconds.
    A stream begins with kind ``stream`` action ``connected`` after every (re)connect:
    what happened in between must then be listed. When the connection is lost, kind ``stream`` action
    ``lost`` says so, with the sentence in ``attributes["reason"]``; it may come again for every failed try."""

    kind: str
    action: str
    id: str
    labels: dict[str, str]
    at: float
    attributes: dict[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """One Docker Engine. Every call has a deadline and raises EngineError or EngineUnreachable."""

    async def info(self) -> EngineInfo:
        """Which engine this is and what it can do."""
        ...

    async def ping(self) -> None:
        """Returns if it answers at all: the cheapest question there is."""
        ...

    async def create_container(self, name: str, config: dict[str, Any]) -> Created:
        """Creates from the body of POST /containers/create (``core.experiments.launch.container_config``)."""
        ...

    async def start_container(self, container: str) -> None:
        """Starts; refusals that Docker finds only now (a taken port, a sysctl) are raised here."""
        ...

    async def inspect_container(self, container: str) -> ContainerFacts:
        """What is known of it now; EngineError with status 404 if there is none."""
        ...

    async def inspect(self, container: str) -> dict[str, Any]:
        """The whole inspect answer as JSON values: for who shows what the Engine says, word for word."""
        ...

    async def execute(self, container: str, argv: Sequence[str]) -> tuple[int, str]:
        """``docker exec``: exit code and output (stdout and stderr), decoded with replacement."""
        ...

    async def statistics(self, container: str) -> dict[str, Any]:
        """One answer of ``GET /containers/ID/stats``, as JSON values."""
        ...

    async def stop_container(self, container: str, grace_s: int = 1) -> None:
        """Stops, kills after ``grace_s``; silent if it does not run."""
        ...

    async def remove_container(self, container: str) -> None:
        """Kills and removes, volumes too; silent if it is already gone."""
        ...

    async def container_logs(self, container: str, lines: int = 20) -> tuple[str, ...]:
        """The last lines of stdout and stderr, decoded with replacement, each at most 500 characters."""
        ...

    async def containers(self, labels: dict[str, str]) -> tuple[ContainerFacts, ...]:
        """All containers, stopped ones too, that carry exactly these labels."""
        ...

    async def create_network(self, name: str, driver: str, labels: dict[str, str], options: dict[str, Any]) -> str:
        """Makes a network and returns its id. ``options``: parent, subnet, gateway, attachable, ipv6."""
        ...

    async def connect_network(self, network: str, container: str) -> None:
        """``docker network connect``; EngineError in Docker's words when it refuses."""
        ...

    async def remove_network(self, network: str) -> None:
        """Removes; silent if it is already gone."""
        ...

    async def networks(self, labels: dict[str, str]) -> tuple[NetworkFacts, ...]:
        """All networks that carry exactly these labels."""
        ...

    async def images(self) -> tuple[ImageFacts, ...]:
        """The local images that have a name."""
        ...

    async def image(self, reference: str) -> ImageFacts | None:
        """A local image, or None."""
        ...

    async def tag_image(self, image: str, reference: str) -> None:
        """Gives a local image another name."""
        ...

    def pull(self, reference: str) -> AsyncIterator[PullProgress]:
        """Pulls; EngineUnreachable where no registry answers."""
        ...

    async def import_image(self, archive: str, reference: str, changes: tuple[str, ...]) -> str:
        """``docker import FILE``: a root file system archive becomes an image; returns its id."""
        ...

    def events(self) -> AsyncIterator[EngineEvent]:
        """Runs until cancelled: reconnects with a back-off of at most 5 s."""
        ...

    async def close(self) -> None:
        """Ends streams and connections."""
        ...
