"""The operations of a Docker Engine that Netmodes uses. ``docker_engine`` implements them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dashboard.core.experiments.engine_kind import EngineKind, engine_notice
from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.namespaces.visibility import (
    INVISIBLE_TITLE,
    MACHINE_TITLE,
    ROOTLESS_TITLE,
    explain_invisible,
    invisible_notice,
    rootless_notice,
)


class EngineError(Exception):
    """The Engine refused; ``str()`` is Docker's message, ``status`` the HTTP status."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


class EngineUnreachable(EngineError):  # noqa: N818 - names the state, not a fault
    """The Engine did not answer: no socket, no permission, stopped, or deadline exceeded."""


@dataclass(frozen=True, slots=True)
class RootlessKit:
    """The program whose namespaces a rootless engine runs in, from /version: the drivers of its network and of
    published ports (slirp4netns, pasta; builtin, slirp4netns, implicit)."""

    network_driver: str
    port_driver: str


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The engine, from /version, /info and the socket's peer. ``pid`` is the daemon's (SO_PEERCRED), None if the daemon
    is not a process of this machine (Docker Desktop, TCP). ``userland_proxy``: whether it starts docker-proxy; None
    before Engine 29.5, which does not report it."""

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
        """The title of the column for the engine's machine."""
        if self.rootless and self.kind is EngineKind.DOCKER:
            return ROOTLESS_TITLE
        return INVISIBLE_TITLE if self.invisible else MACHINE_TITLE

    @property
    def notice(self) -> str:
        """What a user must know to read the columns: what stands in for the machine, and what is not visible."""
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


@dataclass(frozen=True, slots=True)
class Created:
    """The answer to a create request, the only one that contains ``warnings``."""

    id: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """A container as inspected. ``pid`` is 0 if it does not run. Ports as published and as requested. ``networks`` maps
    network names to the addresses that the Engine assigned (may be empty; the IPv6 address if there is no other)."""

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


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """A network with its labels and its first IPAM subnet, if any. ``bridge`` is the Linux name of its
    bridge (docker0, br-<id>), None for other drivers. ``ipv6``: it has IPv6."""

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
    """One step of a pull; ``fraction`` is None if the size is unknown."""

    text: str
    fraction: float | None


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One event: ``kind`` is container, network or ``daemon``; ``labels`` are those of the object. After every connect
    a stream starts with kind ``stream``, action ``connected``: the caller must then list everything again. When the
    connection is lost, kind ``stream``, action ``lost`` has the reason in ``attributes["reason"]``; it repeats for
    failed retries."""

    kind: str
    action: str
    id: str
    labels: dict[str, str]
    attributes: dict[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """One Docker Engine. Every call has a deadline and raises EngineError or EngineUnreachable."""

    async def info(self) -> EngineInfo:
        """The engine's version and capabilities."""

    async def ping(self) -> None:
        """Return if the engine answers, otherwise raise; the cheapest request."""

    async def create_container(self, name: str, config: dict[str, Any]) -> Created:
        """Create a container. ``config`` is the body of POST /containers/create (``container_config``)."""

    async def start_container(self, container: str, deadline_s: float | None = None) -> None:
        """Start a container; refusals that occur only at start (a port in use, a sysctl) are raised here. With
        ``deadline_s`` this call has a deadline of its own."""

    async def inspect_container(self, container: str) -> ContainerFacts:
        """The current facts of a container. Raises EngineError with status 404 if it does not exist."""

    async def inspect(self, container: str) -> dict[str, Any]:
        """The complete inspect answer as JSON values."""

    async def execute(self, container: str, argv: Sequence[str]) -> tuple[int, str]:
        """``docker exec``: exit code and output (stdout and stderr), decoded with replacement."""

    async def statistics(self, container: str) -> dict[str, Any]:
        """One answer of ``GET /containers/ID/stats`` as JSON values."""

    async def stop_container(self, container: str, grace_s: int = 1) -> None:
        """Stop a container, kill it after ``grace_s``; no error if it does not run."""

    async def remove_container(self, container: str) -> None:
        """Kill a container and remove it with its volumes; no error if it does not exist."""

    async def container_logs(self, container: str, lines: int = 20) -> tuple[str, ...]:
        """The last lines of stdout and stderr, decoded with replacement, each at most 500 characters."""

    async def containers(self, labels: dict[str, str]) -> tuple[ContainerFacts, ...]:
        """All containers with these labels, including stopped ones."""

    async def create_network(self, name: str, driver: str, labels: dict[str, str], options: dict[str, Any]) -> str:
        """Create a network and return its id. ``options``: see ``core.experiments.networks.network_body``."""

    async def connect_network(self, network: str, container: str) -> None:
        """``docker network connect``; raises EngineError with Docker's message if it refuses."""

    async def remove_network(self, network: str) -> None:
        """Remove a network; no error if it does not exist."""

    async def networks(self, labels: dict[str, str]) -> tuple[NetworkFacts, ...]:
        """All networks with these labels."""

    async def images(self) -> tuple[ImageFacts, ...]:
        """The local images that have a name."""

    async def image(self, reference: str) -> ImageFacts | None:
        """A local image, or None if it does not exist."""

    async def tag_image(self, image: str, reference: str) -> None:
        """Give a local image another name."""

    def pull(self, reference: str) -> AsyncIterator[PullProgress]:
        """Pull an image; raises EngineUnreachable if no registry answers."""

    async def import_image(self, archive: str, reference: str, changes: tuple[str, ...]) -> str:
        """``docker import FILE``: create an image from the archive of a root file system; returns its id."""

    def events(self) -> AsyncIterator[EngineEvent]:
        """Yield events until cancelled; reconnects with a back-off of at most 5 s."""

    async def close(self) -> None:
        """Close streams and connections."""
