"""The page of all machines, with the state of their labs, and the owner's commands."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard import configuration
from dashboard.core.operations.machines import address_problem, with_address
from dashboard.core.operations.roles import Action, may
from dashboard.interrupts import uninterrupted
from dashboard.store import machines
from dashboard.store.operations import join_tokens, joining
from dashboard.store.operations.revoked_work import end_work
from dashboard.web.http.addresses.own_addresses import join_address
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.threaded_views import threaded
from dashboard.web.operations.accounts.guard import role_in
from dashboard.web.operations.machines.presenters import list_lines, stamp_of
from dashboard.web.operations.machines.swarm import end_everywhere
from dashboard.web.service import service


def _page(request: HttpRequest, status: int = 200, **extra: Any) -> HttpResponse:
    problem, lines = joining.installation_problem(), list_lines()
    role, found = role_in(request), join_address(request)
    manages = role is not None and may(role, Action.MANAGE, owned=True) is None
    context = {
        "machines": lines,
        "stamp": stamp_of(lines),
        "one_machine": problem,
        "manages": manages,
        "tokens": join_tokens.listed() if manages and not problem else (),
        "address": "" if found.is_local else found.origin,
        **extra,
    }
    return render(request, "operations/machines.html", context, status=status)


@require_safe
@threaded
def listing(request: HttpRequest) -> HttpResponse:
    """Renders the page of all machines, which reloads its content every second."""
    return _page(request)


@require_POST
@threaded
def create_token(request: HttpRequest) -> HttpResponse:
    """Creates a join token, and shows once the command that contains it."""
    address = request.POST.get("address", "").strip().rstrip("/")
    if problem := joining.installation_problem() or address_problem(address):
        return _page(request, 400, problem=problem, address=address)
    token = with_address(address, join_tokens.create(request.user.pk))
    return _page(request, 201, command=f"{configuration.COMMAND} join {token}", address=address)


@require_POST
@threaded
def revoke_token(_request: HttpRequest, token: str) -> HttpResponse:
    """Revokes an unused join token."""
    if not join_tokens.revoke(token):
        raise Http404(_("This token does not exist, or can no longer be used."))
    return redirect("/machines/")


def _change(name: str, what: str) -> bool:
    """Changes a machine; ``what`` is as in the view ``change``. Returns False if the machine or the command does not
    exist."""
    if what in {"drain", "undrain"}:
        return machines.set_draining(name, draining=what == "drain")
    return what == "revoke" and joining.revoke(name)


async def _change_completely(name: str, what: str) -> HttpResponse:
    if not await to_db_thread(_change, name, what):
        raise Http404(_("This machine does not exist, or the action is unknown."))
    if what == "revoke":
        await service.end_revoked_machines()
        await to_db_thread(end_work, name)
        if not await end_everywhere():
            return redirect("/machines/swarm/")  # that page names the machines that have not left
    return redirect("/machines/")


@require_POST
async def change(_request: HttpRequest, name: str, what: str) -> HttpResponse:
    """Changes a machine. ``what``: drain, undrain (make it available again) or revoke.

    After a revocation, all other machines leave the swarm, because the revoked machine may be a manager of it. They
    leave even if the browser disconnects.
    """
    return await uninterrupted(_change_completely(name, what))
