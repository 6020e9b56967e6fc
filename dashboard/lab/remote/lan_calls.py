"""Remote calls that the page of LANs makes."""

from dashboard.engine.hosts.registry import LanPlace
from dashboard.lab.lans.named_lans import LIMITS
from dashboard.lab.lans.states import LanState
from dashboard.lab.supervisor import Supervisor


async def lans(supervisor: Supervisor) -> tuple[LanState, ...]:
    """Returns the states of all LANs, ordered by name. Raises LabUnavailableError."""
    return supervisor.lans.states()


async def create_lan(
    supervisor: Supervisor, name: str, hosts: int, neighbours: int, mtu: int, delay_ms: int, loss_percent: int
) -> str:
    """Starts creating a LAN of ``hosts`` private hosts and ``neighbours`` neighbours in the background. ``mtu`` (in
    bytes), ``delay_ms`` and ``loss_percent`` apply to every link. Returns the reason if the LAN cannot be created,
    otherwise an empty text."""
    place = LanPlace(name, 1, neighbours, mtu, delay_ms, loss_percent)
    return await supervisor.lans.create(place, hosts, supervisor.group_hosts.capacity(LIMITS))


async def remove_lan(supervisor: Supervisor, name: str) -> bool:
    """Starts removing a LAN with all its hosts in the background. Returns True at once; a failure is shown in
    ``LanState.problem``."""
    supervisor.lans.remove(name)
    return True


async def start_lan(supervisor: Supervisor, name: str) -> bool:
    """Starts the ended hosts of a LAN again in the background, after an automatic start has failed. Returns True at
    once; a failure is shown in ``LanState.problem``."""
    supervisor.lans.start_again(name)
    return True


async def set_swarm(supervisor: Supervisor, name: str, wanted: bool) -> bool:
    """Starts forming a swarm of the hosts of a LAN in the background. If ``wanted`` is false, starts ending the swarm
    instead. Returns True at once; a failure is shown in ``LanState.problem``."""
    supervisor.lans.set_swarm(name, wanted=wanted)
    return True
