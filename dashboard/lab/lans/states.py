"""LANs as pages show them."""

from dataclasses import dataclass
from enum import StrEnum


class LanStage(StrEnum):
    """The current stage of a LAN."""

    CREATING = "creating"
    READY = "ready"
    STARTING = "starting again"
    FORMING = "forming a swarm"
    LEAVING = "ending the swarm"
    REMOVING = "removing"


@dataclass(frozen=True, slots=True)
class LanHost:
    """A host of a LAN: its id and its addresses. ``own``: the server's own engine is there; ``running``: its engine
    runs."""

    id: str
    addresses: tuple[str, str]
    own: bool = False
    running: bool = True


@dataclass(frozen=True, slots=True)
class LanState:
    """A LAN as pages show it. ``problem`` is a sentence on what failed last, empty if nothing did; ``swarm``: whether
    all running hosts are in a swarm; ``missing``: how many hosts are still being created, or were removed; ``mtu``,
    ``delay_ms`` and ``loss_percent`` are those of every link."""

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
        """Whether a host has ended and can be started again."""
        return not all(host.running for host in self.hosts)
