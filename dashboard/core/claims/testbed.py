"""The operations of a claim on an engine (``Testbed``), and the values that they return.

``lab.claims.testbed`` implements the protocol on a real engine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dashboard.core.measurements.formatting import signed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import Lookup, NamespaceState


class NotTestableError(Exception):
    """A testbed cannot do what a claim asks; ``str()`` is the reason."""


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP request: the status, or None with ``error``; the client address that the server saw; whether the
    connection was accepted. ``sent`` is False if there was no address for the request: ``error`` tells why."""

    status: int | None
    body: str = ""
    client_seen: str = ""
    error: str = ""
    connected: bool = False
    sent: bool = True

    @property
    def summary(self) -> str:
        """A short description, used as evidence."""
        if self.status is None:
            return self.error
        return f"HTTP {self.status}" + (f", the server saw {self.client_seen}" if self.client_seen else "")


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the Engine describes it. ``warnings`` are those of the create response.

    ``refused`` is the Engine's message if it refused the container, at ``create`` or at ``start`` (``refused_at``);
    ``inspected`` is the whole inspect response, as JSON values; ``start_s`` is how long the Engine took to start it.
    """

    line: str
    id: str = ""
    name: str = ""
    warnings: tuple[str, ...] = ()
    refused: str = ""
    refused_at: str = ""
    status: str = ""
    exit_code: int | None = None
    logs: tuple[str, ...] = ()
    inspected: Mapping[str, Any] = field(default_factory=dict)
    start_s: float = 0.0

    def setting(self, *path: str) -> Any:
        """A member of the inspect response by its path, None if it is missing."""
        value: Any = self.inspected
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    @property
    def addresses(self) -> dict[str, str]:
        """The IPv4 address that the Engine assigned, by network; ``invalid IP``, which some versions return, counts as
        none."""
        networks = self.setting("NetworkSettings", "Networks") or {}
        given = {name: str((network or {}).get("IPAddress") or "") for name, network in networks.items()}
        return {name: "" if address == "invalid IP" else address for name, address in given.items()}

    @property
    def address(self) -> str:
        """The first of ``addresses``, empty without one."""
        return next((address for address in self.addresses.values() if address), "")

    @property
    def gateway(self) -> str:
        """The gateway of the first network that has one."""
        networks = (self.setting("NetworkSettings", "Networks") or {}).values()
        return next((str(network["Gateway"]) for network in networks if network and network.get("Gateway")), "")

    @property
    def summary(self) -> str:
        """The container's state in a few words, as evidence."""
        if self.refused:
            return f"refused at {self.refused_at}: {self.refused}"
        if self.exit_code is not None:
            return f"exited with code {self.exit_code}" + (f": {self.logs[-1]}" if self.logs else "")
        return self.status


@dataclass(frozen=True, slots=True)
class Timing:
    """Two paths compared, blocks paired: ``slow`` minus ``fast`` in microseconds per round trip, its 95 % interval,
    and the verdict slower, faster, same or inconclusive on ``slow``."""

    slow: str
    fast: str
    verdict: str
    reason: str
    delta_us: float | None = None
    ci95_us: tuple[float, float] | None = None
    fast_us: float | None = None
    rounds: int = 0

    @property
    def summary(self) -> str:
        """The figures, as evidence."""
        if self.delta_us is None or self.ci95_us is None:
            return f"{self.slow} against {self.fast}: {self.reason}"
        low, high = self.ci95_us
        base = f", {self.fast} takes {self.fast_us:.1f} µs" if self.fast_us is not None else ""
        return (
            f"{self.slow} minus {self.fast}: {signed(self.delta_us, 1)} µs per round trip of 64 bytes "
            f"(95 % interval {signed(low, 1)} to {signed(high, 1)}, {self.rounds} pairs of blocks){base}"
        )


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram that was sent: whether it arrived, and the sender's address as the receiver saw it."""

    arrived: bool
    source: str = ""

    @property
    def summary(self) -> str:
        """A short description, used as evidence."""
        return f"arrived from {self.source}" if self.arrived else "did not arrive"


@dataclass(frozen=True, slots=True)
class Transfer:
    """Bytes sent over one TCP connection: how many were ``sent`` and how many had ``received`` when it ended, or when
    nothing had arrived for two seconds; ``error`` if there was no connection."""

    sent: int
    received: int
    error: str = ""

    @property
    def complete(self) -> bool:
        """Whether every byte arrived."""
        return not self.error and self.received == self.sent

    @property
    def summary(self) -> str:
        """A short description, used as evidence."""
        return self.error or f"{self.received} of {self.sent} bytes arrived" + ("" if self.complete else ", then none")


#: A machine without Docker on the LAN of a private host, and the router of that LAN.
NEIGHBOUR, ROUTER = "neighbour", "lan"
#: A container, ``MACHINE`` (the namespaces that the engine itself runs in), ``NEIGHBOUR`` or ``ROUTER``.
Place = Container | str


class Testbed(Protocol):
    """The operations of a claim. Everything it creates is removed when the claim ends.

    In every text ``IMAGE`` is the lab image, ``{web}`` the real name of an earlier container or network that a line
    calls ``web``, ``{machine}`` the machine's own address. Each call may raise NotTestableError; if the engine stops
    answering, the claim ends as not testable.
    """

    async def run(self, line: str) -> Container:
        """Runs ``docker run -d …`` (``core.experiments.docker_run``); returns once the container has started. Raises
        NotTestableError with the Engine's message if it was refused."""

    async def try_run(self, line: str) -> Container:
        """As ``run``, but a refusal is a result (``Container.refused``): for claims about refusals."""

    async def create_network(self, line: str) -> str:
        """Runs ``docker network create …``; returns the network's real name."""

    async def default_bridge(self) -> str:
        """The name of the default network's bridge on the machine, usually docker0."""

    async def connect_network(self, network: str, container: Container) -> str:
        """Runs ``docker network connect``; returns the Engine's refusal, empty if it accepts."""

    async def inspect(self, container: Container) -> Container:
        """The container as it is now (``docker inspect``, last log lines)."""

    async def wait_exited(self, container: Container, within_s: float = 5.0) -> Container:
        """The container once it has exited, or its state after ``within_s`` seconds."""

    async def stop(self, container: Container) -> Container:
        """Runs ``docker stop``; the status is ``gone`` if ``--rm`` removed the container."""

    async def restart(self, container: Container) -> Container:
        """Runs ``docker restart`` with one second of grace."""

    async def wait_listening(self, place: Place, port: int) -> bool:
        """Whether a process listens on the port within three seconds; False at once if the container has exited."""

    async def state(self, place: Place) -> NamespaceState:
        """Everything observed in a network namespace, with the owners of its sockets."""

    async def namespaces(self, place: Place) -> Mapping[str, int]:
        """/proc/PID/ns: ``net``, ``mnt``, ``pid``, ``ipc``, ``uts``, ``user``, ``cgroup`` to inode."""

    async def read_file(self, place: Place, path: str) -> str:
        """The content of /etc/resolv.conf or /etc/hosts (``path``), as a program in this place reads it."""

    async def request(self, place: Place, address: str, port: int = 0) -> Response:
        """GET / from this place. ``@name`` is an abstract unix socket."""

    async def request_from_lan(self, address: str, port: int) -> Response:
        """GET / from the neighbour, which has a route to this address through the machine during the request. To
        request a loopback address, the neighbour removes its own loopback address."""

    async def lookup(self, place: Place, name: str) -> Lookup:
        """Resolves a name with the hosts file and the resolver of this place."""

    async def execute(self, place: Place, command: str) -> tuple[int, str]:
        """Runs a command as a process of the container (``docker exec``) or in the machine's network namespace; returns
        exit code and output. For facts without a structured source. The lab image has busybox."""

    async def nat_rules(self) -> tuple[str, ...]:
        """The machine's nat rules with their counters, as ``iptables-save -c`` or ``nft list`` prints them
        (``core.paths.nat_rules`` reads them)."""

    async def stats(self, container: Container) -> Mapping[str, Any]:
        """One response of ``GET /containers/ID/stats``."""

    async def serve_on_machine(self, address: str, port: int = 0) -> str:
        """Starts a small HTTP server of the machine itself, until the claim ends; ``@name`` is an abstract unix socket.
        Returns an empty text, or the kernel's refusal."""

    async def serve_on_lan(self, place: Place, address: str, port: int) -> None:
        """Starts a small HTTP server on the neighbour or the router, until the claim ends."""

    async def answer_names(self, server: str, names: Mapping[str, str]) -> None:
        """Starts a DNS server on the machine at port 53 of ``server``, until the claim ends. It answers only these
        names, with these addresses."""

    async def send_datagram(self, sender: Place, receiver: Place, address: str, port: int) -> Datagram:
        """Sends a UDP datagram to an address, a multicast group or a broadcast address, while a socket of ``receiver``
        waits on the port; the receiver joins a group on each of its interfaces."""

    async def transfer(self, sender: Place, receiver: Place, address: str, port: int, size: int) -> Transfer:
        """Sends ``size`` bytes over one TCP connection to a socket of ``receiver``."""

    async def try_create_network(self, line: str) -> str:
        """As ``create_network``, for claims about refusals: returns the Engine's refusal, empty if it accepts."""

    async def alter(self, line: str, undo: str, place: Place = MACHINE) -> None:
        """Runs a command that changes the network of the machine or the router, such as ``iptables -I …``; ``undo``
        reverts it when the claim ends. Private hosts only."""

    async def memory_kib(self, pids: Sequence[int]) -> int:
        """The memory that these processes use, with shared pages divided among them (proc(5), smaps_rollup: Pss)."""

    async def start_engine(self, line: str, setup: str = "") -> Testbed:
        """Starts ``dockerd …`` with options, on another private host that ends with the claim; returns its testbed.
        ``setup`` names a program that is started first: firewalld."""

    async def write_file(self, path: str, text: str) -> None:
        """Replaces the machine's /etc/resolv.conf or /etc/hosts until the claim ends; private hosts only."""

    async def measure(self, line_a: str, line_b: str, question: str) -> Timing:
        """Launches two containers and measures every path to them. ``question`` is ``PATH against PATH``, each path
        ``NAME/KIND`` with the container's name in its line: ``two/published-proxy against one/loopback``."""


Observe = Callable[[Testbed], Awaitable[Any]]
