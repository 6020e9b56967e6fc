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
    """Raised when a testbed cannot do what a claim needs; ``str()`` is the reason."""


@dataclass(frozen=True, slots=True)
class Response:
    """The result of one HTTP request. ``status`` is None if there was no response; ``error`` is then the reason.
    ``client_seen`` is the client address that the server saw. ``connected`` is true if the connection was accepted.
    ``sent`` is false if there was no address to send the request to."""

    status: int | None
    body: str = ""
    client_seen: str = ""
    error: str = ""
    connected: bool = False
    sent: bool = True

    @property
    def summary(self) -> str:
        """The status or the error in a few words, as evidence."""
        if self.status is None:
            return self.error
        return f"HTTP {self.status}" + (f", the server saw {self.client_seen}" if self.client_seen else "")


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the Engine describes it.

    ``line`` is the command that created it. ``warnings`` are those of the Engine's response to this command. If the
    Engine refused the container, ``refused`` is its message, and ``refused_at`` is ``create`` or ``start``.
    ``inspected`` is the whole inspect response, as JSON values. ``start_s`` is how many seconds the Engine took to
    start the container.
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
        """Returns the value at this path of keys in the inspect response; None if it is missing."""
        value: Any = self.inspected
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    @property
    def addresses(self) -> dict[str, str]:
        """The IPv4 address that the Engine assigned on each network, by the network's name. An address is empty if the
        Engine assigned none, or returned ``invalid IP`` as some versions do."""
        networks = self.setting("NetworkSettings", "Networks") or {}
        given = {name: str((network or {}).get("IPAddress") or "") for name, network in networks.items()}
        return {name: "" if address == "invalid IP" else address for name, address in given.items()}

    @property
    def address(self) -> str:
        """The first IPv4 address, empty if the container has none."""
        return next((address for address in self.addresses.values() if address), "")

    @property
    def gateway(self) -> str:
        """The gateway of the first network that has one, otherwise empty."""
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
    """The difference between the times of two paths, ``slow`` and ``fast``.

    ``delta_us`` is the time of ``slow`` minus that of ``fast``, in microseconds per round trip. ``ci95_us`` is its 95 %
    confidence interval. ``fast_us`` is the time of ``fast``. ``verdict`` states whether ``slow`` is slower, faster or
    the same, or that the measurement is inconclusive.
    """

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
        """The difference and its interval as text, as evidence."""
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
    """The result of sending a UDP datagram: whether it arrived, and the sender's address that the receiver saw."""

    arrived: bool
    source: str = ""

    @property
    def summary(self) -> str:
        """The result in a few words, as evidence."""
        return f"arrived from {self.source}" if self.arrived else "did not arrive"


@dataclass(frozen=True, slots=True)
class Transfer:
    """The result of sending ``sent`` bytes over one TCP connection. ``received`` is the number of bytes that arrived
    until the connection ended, or until nothing had arrived for two seconds. ``error`` is the reason if there was no
    connection."""

    sent: int
    received: int
    error: str = ""

    @property
    def complete(self) -> bool:
        """Whether every byte arrived."""
        return not self.error and self.received == self.sent

    @property
    def summary(self) -> str:
        """The result in a few words, as evidence."""
        return self.error or f"{self.received} of {self.sent} bytes arrived" + ("" if self.complete else ", then none")


#: A machine without Docker on the LAN of a private host, and the router of that LAN.
NEIGHBOUR, ROUTER = "neighbour", "lan"
#: A container, ``MACHINE`` (the namespaces that the engine itself runs in), ``NEIGHBOUR`` or ``ROUTER``.
Place = Container | str


class Testbed(Protocol):
    """The operations of a claim on an engine. Everything that they create is removed when the claim ends.

    Lines, commands and addresses may contain placeholders. ``IMAGE`` stands for the lab image, ``{machine}`` for the
    machine's own address. ``{web}`` stands for the real name of the container or network that an earlier line calls
    ``web``.

    A ``Place`` is a container, ``MACHINE``, ``NEIGHBOUR`` or ``ROUTER``. Each method may raise NotTestableError. If the
    engine stops answering, the claim ends as not testable.
    """

    async def run(self, line: str) -> Container:
        """Runs ``docker run -d …`` (``core.experiments.docker_run``); returns once the container has started. Raises
        NotTestableError with the Engine's message if the Engine refuses the container."""

    async def try_run(self, line: str) -> Container:
        """Runs ``docker run -d …`` like ``run``. If the Engine refuses the container, returns it with the Engine's
        message in ``Container.refused``."""

    async def create_network(self, line: str) -> str:
        """Runs ``docker network create …``; returns the network's real name."""

    async def default_bridge(self) -> str:
        """Returns the name of the default network's bridge on the machine, usually docker0."""

    async def connect_network(self, network: str, container: Container) -> str:
        """Runs ``docker network connect``; returns the Engine's refusal, empty if the Engine accepts the command."""

    async def inspect(self, container: Container) -> Container:
        """Returns the current state of the container (``docker inspect`` and the last log lines)."""

    async def wait_exited(self, container: Container, within_s: float = 5.0) -> Container:
        """Waits up to ``within_s`` seconds until the container has exited; returns its state then."""

    async def stop(self, container: Container) -> Container:
        """Runs ``docker stop``; returns the container, with the status ``gone`` if ``--rm`` removed it."""

    async def restart(self, container: Container) -> Container:
        """Runs ``docker restart`` with one second of grace; returns the restarted container."""

    async def wait_listening(self, place: Place, port: int) -> bool:
        """Waits up to three seconds until a process listens on the port; returns whether one does. Returns False at
        once if the container has exited."""

    async def state(self, place: Place) -> NamespaceState:
        """Reads the state of a network namespace, with the owners of its sockets."""

    async def namespaces(self, place: Place) -> Mapping[str, int]:
        """Returns the inodes in /proc/PID/ns by type: ``net``, ``mnt``, ``pid``, ``ipc``, ``uts``, ``user`` and
        ``cgroup``."""

    async def read_file(self, place: Place, path: str) -> str:
        """Returns the content of /etc/resolv.conf or /etc/hosts (``path``), as a program in this place reads it."""

    async def request(self, place: Place, address: str, port: int = 0) -> Response:
        """Sends GET / from this place to an IP address and port. If ``address`` is ``@name``, sends the request to an
        abstract unix socket instead."""

    async def request_from_lan(self, address: str, port: int) -> Response:
        """Sends GET / from the neighbour, which reaches the address over a route through the machine. The route exists
        during the request only. If the address is a loopback address, the neighbour has no loopback address of its own
        meanwhile."""

    async def lookup(self, place: Place, name: str) -> Lookup:
        """Resolves a name with the hosts file and the resolver of this place."""

    async def execute(self, place: Place, command: str) -> tuple[int, str]:
        """Runs a command in a container (``docker exec``), or on this machine in the network namespace of another
        place. Returns its exit status and output. Use it only for facts that no other method returns. The lab image
        contains busybox."""

    async def nat_rules(self) -> tuple[str, ...]:
        """Returns the machine's nat rules with their counters, as ``iptables-save -c`` or ``nft list`` prints them.
        ``core.paths.nat_rules`` parses them."""

    async def stats(self, container: Container) -> Mapping[str, Any]:
        """Returns one response of ``GET /containers/ID/stats``."""

    async def serve_on_machine(self, address: str, port: int = 0) -> str:
        """Starts a small HTTP server on the machine, which runs until the claim ends. ``address`` is an IP address, or
        ``@name`` for an abstract unix socket. Returns the kernel's error, empty if the server listens."""

    async def serve_on_lan(self, place: Place, address: str, port: int) -> None:
        """Starts a small HTTP server on the neighbour or the router. The server runs until the claim ends."""

    async def answer_names(self, server: str, names: Mapping[str, str]) -> None:
        """Starts a DNS server on the machine, at port 53 of the address ``server``. It runs until the claim ends and
        resolves only ``names``, to the addresses given there."""

    async def send_datagram(self, sender: Place, receiver: Place, address: str, port: int) -> Datagram:
        """Sends a UDP datagram to ``address``, while a socket of ``receiver`` waits on the port. ``address`` is that of
        an interface, a multicast group or a broadcast address. The receiver joins a multicast group on each of its
        interfaces."""

    async def transfer(self, sender: Place, receiver: Place, address: str, port: int, size: int) -> Transfer:
        """Sends ``size`` bytes over one TCP connection to a socket of ``receiver``."""

    async def try_create_network(self, line: str) -> str:
        """Runs ``docker network create …``; returns the Engine's refusal, empty if the Engine accepts the command."""

    async def alter(self, line: str, undo: str, place: Place = MACHINE) -> None:
        """Runs a command that changes the network of the machine or the router, such as ``iptables -I …``. The command
        ``undo`` reverts it when the claim ends. Only for private hosts."""

    async def memory_kib(self, pids: Sequence[int]) -> int:
        """Returns the memory of these processes in KiB. A page that several processes share is divided among them
        (proc(5), smaps_rollup: Pss)."""

    async def start_engine(self, line: str, setup: str = "") -> Testbed:
        """Starts an engine on a further private host, which ends with the claim. Returns a testbed on this engine.
        ``line`` is ``dockerd`` with options. ``setup`` names a program that is started before the engine, such as
        ``firewalld``."""

    async def write_file(self, path: str, text: str) -> None:
        """Replaces the machine's /etc/resolv.conf or /etc/hosts until the claim ends. Only for private hosts."""

    async def measure(self, line_a: str, line_b: str, question: str) -> Timing:
        """Launches two containers, measures every path to them, and compares two of these paths. ``question`` names the
        two paths, such as ``two/published-proxy against one/loopback``. The first part of a path is the container's
        name in its line, the second part is the kind of the path."""


Observe = Callable[[Testbed], Awaitable[Any]]
