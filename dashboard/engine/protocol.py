"""Declares the operations of a Docker Engine that Netmodes uses. ``docker_engine`` implements them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dashboard.core.experiments.engine_kind import EngineKind, engine_notice
from dashboard.core.experiments.messages import EngineRef, PublishedPort
from dashboard.core.namespaces.visibility import (
    INVISIBLE_TITLE,
    MACHINE_TITLE,
    ROOTLESS_TITLE,
    explain_invisible,
    invisible_notice,
    rootless_notice,
)


class EngineError(Exception):
    """The Engine refused a request, or its answer cannot be used. ``str()`` is Docker's message or a sentence of
    Netmodes, ``status`` the HTTP status."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


class EngineUnreachable(EngineError):  # noqa: N818 - names the state, not a fault
    """The Engine did not answer: no socket, no permission, stopped, or deadline exceeded."""


@dataclass(frozen=True, slots=True)
class RootlessKit:
    """RootlessKit, in whose namespaces a rootless engine runs, as /version reports it. ``network_driver`` connects the
    namespaces to the network (slirp4netns, pasta); ``port_driver`` forwards published ports (builtin, slirp4netns,
    implicit)."""

    network_driver: str
    port_driver: str


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Facts about an engine, from /version, /info and the process that listens on its socket.

    ``pid`` is the daemon's (SO_PEERCRED); None if the daemon is not a process of this machine (Docker Desktop, TCP).
    ``userland_proxy`` tells whether the engine starts docker-proxy; None if not reported (before Engine 29.5).
    """

    version: str
    api: str
    name: str
    kernel: str
    system: str
    rootless: bool
    userns_remap: bool
    desktop: bool
    swarm_active: bool
    cgroup_version: str
    network_plugins: tuple[str, ...]
    firewall_backend: str
    pid: int | None
    endpoint: str
    kind: EngineKind = EngineKind.DOCKER
    userland_proxy: bool | None = None
    #: ``Platform.Name`` of /version, which has the version of Docker Desktop.
    platform: str = ""
    rootlesskit: RootlessKit | None = None
    #: The programs that Podman uses for networks: netavark, aardvark-dns, pasta, slirp4netns.
    programs: tuple[str, ...] = ()
    #: The network namespace that takes the place of the machine's, a path as the daemon sees it (rootless ≥ 29.5, where
    #: the daemon itself is in the machine's); empty: the daemon's own.
    netns: str = ""

    @property
    def machine_title(self) -> str:
        """The title of the column that shows the engine's machine."""
        if self.rootless and self.kind is EngineKind.DOCKER:
            return ROOTLESS_TITLE
        return INVISIBLE_TITLE if self.invisible else MACHINE_TITLE

    @property
    def notice(self) -> str:
        """Sentences that a user must know to understand the columns, if the engine is Podman or rootless, or if its
        machine cannot be read from here; otherwise empty."""
        kit = self.rootlesskit or RootlessKit("", "")
        rootless = rootless_notice(kit.network_driver, kit.port_driver) if self.machine_title == ROOTLESS_TITLE else ""
        return " ".join(part for part in (engine_notice(self.kind), rootless, invisible_notice(self.invisible)) if part)

    @property
    def invisible(self) -> str:
        """Why the network stacks of the engine's machine cannot be read from here; empty if they can."""
        return explain_invisible(self.endpoint, desktop=self.desktop, local=self.pid is not None)

    @property
    def nftables(self) -> bool:
        """Whether the engine writes its rules with nftables; with firewalld the backend is ``nftables+firewalld``."""
        return "nftables" in self.firewall_backend.split("+")

    def reference(self, *, private: bool) -> EngineRef:
        """Returns the description of the engine that pages receive. ``private`` tells whether it runs on a private
        host."""
        return EngineRef(self.version, self.api, self.name, self.kernel, self.system, private, self.endpoint, self.kind)


@dataclass(frozen=True, slots=True)
class Created:
    """The answer to a create request. No other answer contains the Engine's ``warnings``."""

    id: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """The facts that ``docker inspect`` reports of a container. ``pid`` is 0 if it does not run. ``published`` are the
    ports that are published now. ``asked`` are the ports that were requested when it was created. ``auto_remove`` tells
    whether the Engine removes it when it ends (``--rm``).

    ``networks`` maps the name of each of its networks to its address there. This is the IPv4 address. Without one, it
    is the IPv6 address; without either, it is empty.
    """

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
    resolv_conf_path: str
    hosts_path: str
    published: tuple[PublishedPort, ...]
    asked: tuple[PublishedPort, ...]
    networks: dict[str, str]
    dns: tuple[str, ...] = ()
    auto_remove: bool = False


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """A network. ``subnet`` is its first IPAM subnet, None if it has none. ``bridge`` is the Linux name of its bridge
    (docker0, br-<id>), None for other drivers. ``ipv6`` tells whether IPv6 is enabled."""

    id: str
    name: str
    driver: str
    labels: dict[str, str]
    subnet: str | None = None
    bridge: str | None = None
    ipv6: bool = False


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A local image."""

    id: str
    tags: tuple[str, ...]
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PullProgress:
    """One step of a pull. ``fraction`` is the completed part of this step, from 0 to 1; None if the size is unknown."""

    text: str
    fraction: float | None


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """An event of the Engine, or of the connection to it. ``kind`` is ``container``, ``network`` or ``daemon``, and
    ``labels`` are the labels of that object. For an event of the connection, ``kind`` is ``stream``.

    After every connect, a stream begins with the action ``connected``: the caller must then list everything again. When
    the connection is lost, and after each failed retry, the action is ``lost``. Its reason is in
    ``attributes["reason"]``.
    """

    kind: str
    action: str
    id: str
    labels: dict[str, str]
    attributes: dict[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """A Docker Engine. Every call has a deadline, and raises EngineError or EngineUnreachable if it fails."""

    async def info(self) -> EngineInfo:
        """Returns the engine's version and capabilities."""

    async def ping(self) -> None:
        """Returns if the engine answers, otherwise raises EngineError. This is the cheapest request."""

    async def create_container(self, name: str, config: dict[str, Any]) -> Created:
        """Creates a container. ``config`` is the body of ``POST /containers/create``."""

    async def start_container(self, container: str, deadline_s: float | None = None) -> None:
        """Starts a container within ``deadline_s`` (default: the deadline of other calls). Raises EngineError if the
        Engine refuses. Some refusals, such as a port in use or a sysctl, occur at the start, not at the creation."""

    async def inspect_container(self, container: str) -> ContainerFacts:
        """Returns the current facts of a container. Raises EngineError with status 404 if it does not exist."""

    async def inspect(self, container: str) -> dict[str, Any]:
        """Returns the complete answer of ``docker inspect`` as JSON values."""

    async def execute(self, container: str, argv: Sequence[str]) -> tuple[int, str]:
        """Runs a command with ``docker exec``. Returns the exit code, and stdout and stderr as one text in which
        invalid UTF-8 is replaced."""

    async def statistics(self, container: str) -> dict[str, Any]:
        """Returns one answer of ``GET /containers/ID/stats`` as JSON values."""

    async def stop_container(self, container: str, grace_s: int = 1) -> None:
        """Stops a container, and kills it after ``grace_s``. No error if it does not run."""

    async def remove_container(self, container: str) -> None:
        """Kills and removes a container with its anonymous volumes. No error if it does not exist."""

    async def container_logs(self, container: str, lines: int = 20) -> tuple[str, ...]:
        """Returns the last ``lines`` lines of stdout and stderr, each cut at 500 characters. Invalid UTF-8 is
        replaced."""

    async def containers(self, labels: dict[str, str]) -> tuple[ContainerFacts, ...]:
        """Returns all containers with these labels, including stopped ones."""

    async def create_network(self, name: str, driver: str, labels: dict[str, str], options: dict[str, Any]) -> str:
        """Creates a network and returns its id. For ``options``, see ``core.experiments.networks.network_body``."""

    async def connect_network(self, network: str, container: str) -> None:
        """Connects a container to a network (``docker network connect``). Raises EngineError with Docker's message if
        the Engine refuses."""

    async def remove_network(self, network: str) -> None:
        """Removes a network. No error if it does not exist."""

    async def networks(self, labels: dict[str, str]) -> tuple[NetworkFacts, ...]:
        """Returns all networks with these labels."""

    async def images(self) -> tuple[ImageFacts, ...]:
        """Returns the local images that have a name."""

    async def image(self, reference: str) -> ImageFacts | None:
        """Returns a local image; None if it does not exist."""

    async def tag_image(self, image: str, reference: str) -> None:
        """Gives the local image ``image`` the additional name ``reference``."""

    def pull(self, reference: str) -> AsyncIterator[PullProgress]:
        """Pulls an image and yields its progress. Raises EngineUnreachable if no registry answers."""

    async def import_image(self, archive: str, reference: str, changes: tuple[str, ...]) -> str:
        """Creates an image named ``reference`` from the archive of a root file system (``docker import``); returns the
        image's id. ``changes`` are Dockerfile instructions, such as CMD."""

    def events(self) -> AsyncIterator[EngineEvent]:
        """Yields events until cancelled. After a lost connection it reconnects, with a pause of at most 5 s between
        attempts."""

    async def close(self) -> None:
        """Closes streams and connections."""
