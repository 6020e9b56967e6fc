"""The state of a LAN and its hosts, as the pages show it."""

from dataclasses import dataclass
from enum import StrEnum


class LanStage(StrEnum):
    """What a LAN is doing: it is ready, or a change is in progress."""

    CREATING = "creating"
    READY = "ready"
    STARTING = "starting again"
    FORMING = "forming a swarm"
    LEAVING = "ending the swarm"
    REMOVING = "removing"


@dataclass(frozen=True, slots=True)
class LanHost:
    """A host of a LAN, with its IPv4 and IPv6 address. ``own``: its engine is the server's own. ``running``: its engine
    runs."""

    id: str
    addresses: tuple[str, str]
    own: bool = False
    running: bool = True


@dataclass(frozen=True, slots=True)
class LanState:
    """The state of a LAN. ``problem`` is a sentence about the last failure, empty if nothing has failed. ``swarm`` is
    true if all running hosts are in a swarm. ``missing`` is the number of hosts that are still being created or were
    removed. ``mtu`` (in bytes), ``delay_ms`` and ``loss_percent`` apply to every link of the LAN."""

    name: str
    stage: LanStage
    hosts: tuple[LanHost, ...] = ()
    neighbours: tuple[tuple[str, str], ...] = ()
    swarm: bool = False
    problem: str = ""
    missing: int = 0
    mtu: int = 0
    delay_ms: int = 0
    loss_percent: int = 0

    @property
    def has_ended_hosts(self) -> bool:
        """Whether the engine of at least one host has ended."""
        return not all(host.running for host in self.hosts)
