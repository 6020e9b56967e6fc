"""The machines that run the private hosts of a session, and the command that moves hosts to other machines."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.core.machines.placement import MachineOffer
from dashboard.core.operations.machines import SERVER
from dashboard.core.training.session import number_of_group
from dashboard.models import TrainingSession
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import host_placement, participants
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import service
from dashboard.web.training.hosts.host_requests import machine_offers
from dashboard.web.training.hub import hub


@dataclass(frozen=True, slots=True)
class MachineOfSession:
    """A machine with private hosts of a session.

    ``hosts`` is the number of these hosts, ``people`` the names of the participants who use them. ``state`` is present,
    draining or absent.
    """

    name: str
    hosts: int
    people: tuple[str, ...]
    state: str

    @property
    def can_be_moved(self) -> bool:
        """Whether the hosts on this machine can be moved to other machines."""
        return self.state != "present"


def _state(name: str, offers: tuple[MachineOffer, ...]) -> str:
    offer = next((offer for offer in offers if offer.name == name), None)
    if offer is None or not offer.present:
        return "absent"
    return "draining" if offer.draining else "present"


async def machines_of(row: TrainingSession) -> tuple[MachineOfSession, ...]:
    """Returns the machines with hosts of a session; empty if no other machine has joined the installation."""
    offers = await machine_offers()
    if not offers:
        return ()

    def read() -> tuple[MachineOfSession, ...]:
        names = participants.names_by_group(row.id)
        return tuple(
            MachineOfSession(
                machine or SERVER,
                len(groups),
                tuple(name for group in groups for name in names.get(number_of_group(group), ())),
                _state(machine, offers),
            )
            for machine, groups in host_placement.groups_by_machine(row.id).items()
        )

    return await to_db_thread(read)


async def move(row: TrainingSession, machine: str) -> bool:
    """Moves the session's hosts from a machine to others. Returns False if the session is over.

    Raises ValueError with a sentence for the user if not all hosts can be moved. The others have then been moved.
    """
    if row.closed_at:
        return False
    offers = await machine_offers()
    if not offers:
        raise ValueError(_("No other machine has joined this installation."))
    name = "" if machine == SERVER else machine
    moved = await to_db_thread(host_placement.move, row.id, row.owner_id, shared_clock(), name, offers)
    service.wake()
    if moved.refused:
        hub.tell(row.id)
        text = ngettext(
            "%(count)d host was moved. The others stay on %(machine)s: %(reason)s",
            "%(count)d hosts were moved. The others stay on %(machine)s: %(reason)s",
            moved.count,
        )
        raise ValueError(text % {"count": moved.count, "machine": machine, "reason": moved.refused})
    return True
