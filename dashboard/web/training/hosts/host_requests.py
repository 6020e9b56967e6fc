"""Requests for private hosts, and the machines that can run them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dashboard.core.machines.placement import MachineOffer
from dashboard.core.operations.machines import MachineRecord
from dashboard.core.training.capacity import Capacity, HostLimits, combine, offered
from dashboard.lab.remote import experiment_calls
from dashboard.store import machines
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import host_placement
from dashboard.store.training import hosts as group_host_store
from dashboard.web.http.database import to_db_thread
from dashboard.web.operations.remote_lab import RemoteLabs
from dashboard.web.service import LabUnavailableError, service

#: Seconds that the creation of a session waits for labs that prepare for its hosts.
EXPECT_S = 2.0


async def machine_offers() -> tuple[MachineOffer, ...]:
    """Returns the offers of all machines to run private hosts; empty if no other machine has ever joined the
    installation.

    The first offer is that of the installation's own machine, whose name is empty. An offer states whether its machine
    is drained and whether it responds. Revoked machines are omitted. If all other machines are revoked, the own
    machine's offer remains, because hosts may have to move there.
    """
    labs = service.labs
    records = await to_db_thread(machines.list_machines) if labs is not None else ()
    if labs is None or not records:
        return ()
    own = MachineOffer("", offered(labs.server.capacity), present=labs.server.accepts_calls)
    return (own, *(_offer(record, labs) for record in records if not record.is_revoked))


def _offer(record: MachineRecord, labs: RemoteLabs) -> MachineOffer:
    labels = frozenset(f"{name}={value}" for name, value in record.labels.items())
    present = labs.of(record.name).accepts_calls
    return MachineOffer(record.name, offered(record.facts.capacity), labels, record.is_draining, present)


async def capacity(limits: HostLimits | None = None) -> Capacity:
    """Returns the current capacity for hosts with these limits (None: the default ones), on all machines together.

    If the capacity is unknown, ``problem`` of the result is the reason.
    """
    offers = await machine_offers()
    names = [offer.name or None for offer in offers if offer.present and not offer.draining] if offers else [None]
    return combine(await asyncio.gather(*(_capacity_of(name, limits) for name in names)))


async def _capacity_of(machine: str | None, limits: HostLimits | None) -> Capacity:
    try:
        return await service.ask_on(machine, "", experiment_calls.capacity, limits)
    except LabUnavailableError as error:
        return Capacity(0, 0, problem=str(error))


async def expect_hosts() -> None:
    """Makes the labs of other machines prepare the template for the hosts of a new session. Waits up to ``EXPECT_S``
    seconds.

    These labs cannot see a session before one of its hosts is placed on their machine. A lab that does not answer
    prepares the template when its first host starts.
    """
    names = [offer.name for offer in await machine_offers() if offer.name and offer.present and not offer.draining]
    calls = [service.ask_on(name, "", experiment_calls.expect_hosts) for name in names]
    with suppress(TimeoutError):
        async with asyncio.timeout(EXPECT_S):
            await asyncio.gather(*calls, return_exceptions=True)


def absent_machines() -> frozenset[str]:
    """Returns the names of the machines that cannot be used now. Empty if no machine has joined the installation.

    Revoked machines are included, so that their hosts are shown as unreachable. The name of the own machine is empty.
    Queries the database.
    """
    labs = service.labs
    records = machines.list_machines() if labs is not None else ()
    if labs is None or not records:
        return frozenset()
    joined = {record.name for record in records if record.is_revoked or not labs.of(record.name).accepts_calls}
    return frozenset(joined if labs.of(None).accepts_calls else joined | {""})


async def request_host(group: str) -> None:
    """Requests the private host of a group. Raises NoHostError, or LabUnavailableError if no host can be started
    now."""
    await _request(group_host_store.request, group)


async def request_first_host(group: str) -> None:
    """Requests the private host of a group, unless its current participants have already had one.

    Raises NoHostError.
    """
    await _request(group_host_store.request_first, group, required=False)


async def reset_host(group: str) -> None:
    """Requests a new private host that replaces the group's current one. Raises NoHostError or LabUnavailableError."""
    await _request(group_host_store.reset, group)


async def _request(write: Callable[..., Any], group: str, *, required: bool = True) -> None:
    offers = await machine_offers()
    if required and not offers:
        service.require()
    if await to_db_thread(write, group, shared_clock(), offers):
        await place_waiting(offers)
    else:
        service.wake()


async def place_waiting(offers: tuple[MachineOffer, ...] = ()) -> None:
    """Assigns machines to the private hosts that wait for one, as far as there is capacity now.

    ``offers`` are the machines, if the caller has just read them. In each process, one placement runs at a time. All
    calls that arrive during a placement share the next one. Otherwise, if all groups of a session request hosts
    together, each call would occupy a thread and a connection to wait for the database lock, and fail after some
    seconds.
    """
    labs = service.labs
    if labs is None:
        return
    if labs.placing.locked():
        offers = ()
    begun = labs.placements
    async with labs.placing:
        if labs.placements > begun:
            return  # it has also placed the hosts that this call is for
        labs.placements += 1
        try:
            placed = await to_db_thread(host_placement.place_waiting, offers or await machine_offers(), shared_clock())
        except BaseException:
            labs.placements -= 1  # those that wait must try themselves
            raise
        if placed:
            service.wake()
