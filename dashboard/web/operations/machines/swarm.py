"""The page of the swarm of machines: its members, and the commands that form and end it.

Labs do not communicate with each other. A web process calls them one after the other, and passes the token of the first
one to the rest.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from dashboard.core.operations.machines import SERVER
from dashboard.core.operations.swarm import (
    Membership,
    SwarmMachine,
    SwarmPlan,
    SwarmRefusedError,
    find_outdated,
    find_unknown,
    plan_swarm,
    require_shown,
    shown_members,
)
from dashboard.interrupts import uninterrupted
from dashboard.lab.machines import requests, swarm
from dashboard.store import machines
from dashboard.store.operations import joining
from dashboard.store.operations.advisory_lock import SwarmLock
from dashboard.store.operations.database_clock import shared_clock
from dashboard.web.http.database import to_db_thread
from dashboard.web.operations.machines.clients import CALL_ERRORS, row_of
from dashboard.web.service import service

#: The timeout for a machine to leave, in seconds. The Engine itself gives its node 15 s to stop (moby, daemon/cluster).
LEAVE_S = 20.0
#: Seconds that ending the swarm after a revocation waits for another request that is changing the swarm.
WAIT_S = 60.0


def _names() -> tuple[str, ...]:
    """Returns the names of the machines to call. Call it in a thread.

    They include the installation's own machine if it has an engine, or if it was asked to enter the swarm: it may be a
    member although its lab or its engine does not respond.
    """
    labs = service.labs
    if labs is None:
        return ()
    has_engine = labs.server.accepts_calls and labs.server.facts.engine is not None
    own = (SERVER,) if has_engine or machines.own_swarm_since() else ()
    return (*own, *(record.name for record in machines.list_machines() if not record.is_revoked))


async def read_machines() -> tuple[SwarmMachine, ...]:
    """Returns the machines with their current state in the swarm, as their labs report it."""
    return tuple(await asyncio.gather(*map(_read, await to_db_thread(_names))))


async def _read(name: str) -> SwarmMachine:
    try:
        found, network = await asyncio.gather(
            service.ask_on(row_of(name), "", swarm.view_swarm), service.ask_on(row_of(name), "", requests.view_machine)
        )
    except CALL_ERRORS as error:
        return SwarmMachine(name, problem=str(error))
    return SwarmMachine(name, found, network)


async def form(plan: SwarmPlan) -> None:
    """Forms the swarm, or makes further machines join it.

    If a machine fails, the machines that have joined the swarm leave it again, and SwarmRefusedError names the
    machine.
    """
    first, member = plan.first, plan.addresses[plan.first]
    entered = [first] if plan.is_new else []
    name = first
    await to_db_thread(machines.note_swarm, entered, shared_clock())
    try:
        ticket = await service.ask_on(row_of(first), "", swarm.open_swarm, member)
        for name in plan.joining:  # one after the other, because each changes the quorum
            entered.append(name)
            await to_db_thread(machines.note_swarm, [name], shared_clock())
            await service.ask_on(row_of(name), "", swarm.join_swarm, plan.addresses[name], member, ticket)
        for name in plan.addresses:
            await service.ask_on(row_of(name), "", swarm.wait_until_stored)
    except CALL_ERRORS as error:
        problems = await end(entered)
        raise SwarmRefusedError(" ".join([f"{name}: {error}", *problems])) from error
    except DatabaseError:
        await end(entered)
        raise


async def end(names: Collection[str]) -> tuple[str, ...]:
    """Makes machines leave the swarm. Returns a sentence for each machine that has not left.

    They leave one after the other, because each must inform the rest (``engine.lans.swarm``).
    """
    problems, left = [], []
    # Reads all states first: the Engine answers slowly once too few machines are left to elect a leader.
    for one in await asyncio.gather(*map(_read, names)):
        if one.swarm.membership is Membership.FOREIGN:  # it stays in the foreign swarm
            continue
        try:
            async with asyncio.timeout(LEAVE_S):
                await service.ask_on(row_of(one.name), "", swarm.leave_swarm)
            left.append(one.name)
        except TimeoutError:
            problems.append(_("%(name)s: did not leave the swarm in time.") % {"name": one.name})
        except CALL_ERRORS as error:
            problems.append(f"{one.name}: {error}")
    # Only after the last one, because the machines must leave even if the database does not answer.
    await to_db_thread(machines.note_swarm, left, 0.0)
    return tuple(problems)


async def end_everywhere() -> bool:
    """Ends the swarm on all machines, because one of its managers is no longer trusted.

    Returns False if a machine has not left the swarm, or if another request holds its lock. The page names the machines
    that have not left.
    """
    lock = SwarmLock()
    is_alone = await to_db_thread(lock.acquire, WAIT_S)
    try:
        return not await end(await to_db_thread(_names)) and is_alone
    finally:
        await asyncio.shield(to_db_thread(lock.release))


@asynccontextmanager
async def _alone() -> AsyncIterator[None]:
    """Context manager that holds the lock of the swarm. Raises SwarmRefusedError if another request holds the lock."""
    lock = SwarmLock()
    if not await to_db_thread(lock.acquire):
        raise SwarmRefusedError(_("Another request is changing the swarm. Wait until it has ended."))
    try:
        yield
    finally:
        await asyncio.shield(to_db_thread(lock.release))


def _known() -> tuple[dict[str, float], dict[str, float]]:
    """Returns two dictionaries by name of the machine, with times in seconds since the epoch.

    The first contains when each machine was last revoked; machines that were never revoked are missing. The second
    contains when each machine entered the swarm; 0 if it is not in the swarm.
    """
    records = machines.list_machines()
    revoked = {record.name: record.last_revoked_at for record in records if record.last_revoked_at}
    return revoked, {SERVER: machines.own_swarm_since()} | {record.name: record.swarm_since for record in records}


async def _page(request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
    found, (revoked, entered) = await read_machines(), await to_db_thread(_known)
    members = shown_members(found)
    candidates = [machine for machine in found if not machine.is_member and not machine.refusal]
    context = {
        "machines": found,
        "one_machine": await to_db_thread(joining.installation_problem),
        "problems": [*filter(None, (problem, find_outdated(found, revoked), find_unknown(found, revoked, entered)))],
        "members": members,
        "candidates": candidates if len(members) + len(candidates) > 1 else (),
    }
    response: HttpResponse = await to_db_thread(
        lambda: render(request, "operations/swarm.html", context, status=status)
    )
    return response


def _name_in_audit(request: HttpRequest, what: str, names: Sequence[str]) -> None:
    request.audit.object = " ".join((what, *names))  # type: ignore[attr-defined]


@_alone()
async def _change(request: HttpRequest, what: str) -> None:
    """If ``what`` is ``end``, ends the swarm. Otherwise forms it with the machines that the user has selected. Raises
    SwarmRefusedError with a sentence for the user."""
    found, chosen = await read_machines(), request.POST.getlist("machine")
    names = [one.name for one in found if (one.is_member if what == "end" else one.name in chosen)]
    _name_in_audit(request, what, names)
    if what == "end":
        if problems := await end(names):
            raise SwarmRefusedError(" ".join(problems))
        return
    require_shown(found, request.POST.getlist("member"))
    revoked, _entered = await to_db_thread(_known)
    if outdated := find_outdated(found, revoked):
        raise SwarmRefusedError(outdated)
    await form(plan_swarm(found, chosen))


@require_http_methods(["GET", "HEAD", "POST"])
async def page(request: HttpRequest) -> HttpResponse:
    """Renders the page of the swarm. POST forms the swarm with the selected machines, or ends it."""
    if request.method != "POST":
        return await _page(request)
    what = request.POST.get("what", "")
    if what not in {"form", "end"}:
        return await _page(request, _("This action is unknown. Use the buttons on this page."), 400)
    _name_in_audit(request, what, ())
    if what == "form" and not request.POST.get("agreed"):
        return await _page(request, _("Confirm that each of these engines becomes a manager."), 400)
    try:
        await uninterrupted(_change(request, what))  # a browser that disconnects leaves no partial swarm
    except SwarmRefusedError as error:
        return await _page(request, str(error), 409)
    return redirect("/machines/swarm/")
