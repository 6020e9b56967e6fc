"""What is read to trace one request: packet counters, connections, connection tracking and NAT rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dashboard.core.paths.conntrack import ConntrackEntry
from dashboard.core.paths.model import VethLink
from dashboard.core.paths.packets import FirstPacket


@dataclass(frozen=True, slots=True)
class PacketCounts:
    """The packet counters of a link."""

    received: int
    sent: int


@dataclass(frozen=True, slots=True)
class ProcessConnection:
    """An established TCP connection and the process that has it. ``process`` is empty while the connection waits to be
    accepted. Endpoints are ``address:port``."""

    process: str
    pid: int
    local: str
    peer: str

    @property
    def owner(self) -> str:
        """The name of the process with its pid."""
        return f"{self.process} ({self.pid})" if self.process else "an unknown process"


@dataclass(frozen=True, slots=True)
class Sample:
    """The nat rules and packet counters at one moment.

    ``client_links`` are the links of the client's namespace. If the path leads through the machine's packet filter
    (``FILTERED_KINDS``), they are those of the machine's namespace instead. ``server_links`` are the links of the
    server's namespace; empty if that is the same namespace. ``filter_rules`` are read only if the path leads through
    the packet filter.
    """

    rules: tuple[str, ...] = ()
    client_links: Mapping[str, PacketCounts] = field(default_factory=dict)
    server_links: Mapping[str, PacketCounts] = field(default_factory=dict)
    filter_rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceEvidence:
    """Everything that was read to trace one request. Endpoints are ``address:port``.

    ``filtered`` is true if the path leads through the machine's packet filter (``FILTERED_KINDS``). Rules, counters and
    ``client_connections`` are then those of the machine's namespace, otherwise those of the client's namespace.
    ``shared`` is true if the server is in that namespace, too.

    ``before`` and ``after`` were read before and after the request. ``client_connections`` and ``server_connections``
    were read while its connection was open. ``server_connections`` are those of the server's namespace.
    ``own_addresses`` are the addresses of the client's namespace. ``veths`` join the server to bridges. ``entries`` is
    None if connection tracking could not be read. ``rules_error`` and ``filter_error`` are the reasons why the rules of
    NAT and of the packet filter could not be read. ``first`` is what the kernel reported about the first packet of a
    second connection to the same target.
    """

    target: str
    client: str = ""
    client_seen: str = ""
    answer: str = ""
    error: str = ""
    shared: bool = False
    filtered: bool = False
    own_addresses: frozenset[str] = frozenset()
    veths: tuple[VethLink, ...] = ()
    before: Sample = Sample()
    after: Sample = Sample()
    client_connections: tuple[ProcessConnection, ...] = ()
    server_connections: tuple[ProcessConnection, ...] = ()
    entries: tuple[ConntrackEntry, ...] | None = None
    rules_error: str = ""
    filter_error: str = ""
    first: FirstPacket = field(default_factory=FirstPacket)
