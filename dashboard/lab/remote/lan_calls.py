"""The remote calls of the LANs page."""

from dashboard.engine.hosts.registry import LanPlace
from dashboard.lab.lans.named_lans import LIMITS
from dashboard.lab.lans.states import LanState
from dashboard.lab.supervisor import Supervisor


async def lans(supervisor: Supervisor) -> tuple[LanState, ...]:
    """All LANs, by name. Raises LabUnavailableError."""
    return supervisor.lans.states()


async def create_lan(
    supervisor: Supervisor, name: str, hosts: int, neighbours: int, mtu: int, delay_ms: int, loss_percent: int
) -> str:
    """Begins to create a LAN; returns the reason if it cannot be created, otherwise an empty text. MTU, delay and loss
    are those of every link."""
    place = LanPlace(name, 1, neighbours, mtu, delay_ms, loss_percent)
    return await supervisor.lans.create(place, hosts, supervisor.class_hosts.capacity(LIMITS))


async def remove_lan(supervisor: Supervisor, name: str) -> bool:
    """Begins to remove a LAN with all its hosts."""
    supervisor.lans.remove(name)
    return True


async def start_lan(supervisor: Supervisor, name: str) -> bool:
    """Starts the ended hosts of a LAN again."""
    supervisor.lans.start_again(name)
    return True


async def set_swarm(supervisor: Supervisor, name: str, wanted: bool) -> bool:
    """Begins to form a swarm of the hosts of a LAN, or to end it."""
    supervisor.lans.set_swarm(name, wanted=wanted)
    return True
