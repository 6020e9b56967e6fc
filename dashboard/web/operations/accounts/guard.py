"""Checks for each request what the role of the account permits, and writes the audit trail."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _
from ninja.utils import check_csrf

from dashboard.core.operations.database_problems import describe_database_error
from dashboard.core.operations.roles import Action, OwnedKind, Refusal, Role, may
from dashboard.store.operations import accounts, audit
from dashboard.web.http.guards import LINK_PATH
from dashboard.web.operations.accounts.commands import PAGES, Command, command_at, is_participants

log = logging.getLogger(__name__)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: The status of the response to a request for which the database did not answer.
DATABASE_AWAY = 503
#: Paths that need no database or check access themselves. Links with a token (``LINK_PATH``) also ignore the account.
WITHOUT_ACCOUNT = frozenset({"/readyz", "/metrics"})


def role_in(request: HttpRequest) -> Role | None:
    """Returns the role of the account that sends a request; None if the request comes from no account."""
    return getattr(request, "role", None)


def refusal_of(
    request: HttpRequest, action: Action, kind: OwnedKind | None = None, identity: str = ""
) -> Refusal | None:
    """Returns why the account that sends the request may not perform this action; None if it may. Queries the database.

    ``kind`` and ``identity``: the object that the action changes, if there is one.
    """
    role = role_in(request)
    if role is None:
        return Refusal(_("Sign in first."))
    owned = kind is None or accounts.belongs_to(kind, identity, int(request.user.pk or 0))
    return may(role, action, owned=owned)


def refuse_account(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Returns a 403 response with the reason: a page, or JSON under /api/."""
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": refusal.sentence}, status=403)
    context = {"status": 403, "title": _("Your account cannot do this"), "sentence": refusal.sentence}
    return render(request, "error.html", context, status=403)


def _name_command(entry: audit.PendingEntry, command: Command, values: Mapping[str, object]) -> None:
    entry.action = command.name
    entry.object = " ".join(str(values[name])[:60] for name in command.named_by if name in values)


def _new_entry(request: HttpRequest) -> audit.PendingEntry:
    entry = audit.PendingEntry(address=str(request.META.get("REMOTE_ADDR", "")))
    if request.user.is_authenticated:
        entry.user, entry.account = request.user.pk, request.user.get_username()
    return entry


def _name_hidden(request: HttpRequest, entry: audit.PendingEntry) -> None:
    """Adds the command's name to the audit entry of a request that other middleware refused before a view was found.

    Such a request is about an object that is hidden from the account.
    """
    with suppress(Resolver404):
        match = resolve(request.path_info)
        if (command := command_at(match.route, match.kwargs)) is not None:
            _name_command(entry, command, match.kwargs)


def _store(entry: audit.PendingEntry, outcome: str) -> None:
    try:
        entry.store(outcome)
    except DatabaseError as error:
        reason = describe_database_error(str(error))
        log.error("missing from the audit trail: “%s” of %s: %s", entry.action, entry.account, reason)  # noqa: TRY400 - expected


class AccountMiddleware:
    """Refuses requests that the role of the account does not permit, and records each command in the audit trail.

    A store function that is decorated with ``audited`` writes the entry in its own transaction. All other entries are
    written after the response, with the outcome; if the client disconnects before, the outcome is “failed”.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Sets ``request.role`` for views and templates, and ``request.audit`` to the audit entry of the request."""
        if request.path_info in WITHOUT_ACCOUNT or LINK_PATH.fullmatch(request.path_info):
            return self.get_response(request)
        entry = request.audit = _new_entry(request)  # type: ignore[attr-defined]
        if request.user.is_authenticated:
            request.role = accounts.role_of(request.user)  # type: ignore[attr-defined]
        with audit.pending(entry):
            try:
                response = self.get_response(request)
            except BaseException:
                # CancelledError: the client has disconnected. The command may have taken effect. Django closes the
                # request's connections without waiting for this thread.
                _store(entry, audit.FAILED)
                if not connection.in_atomic_block:
                    connection.close()
                raise
            if request.resolver_match is None and request.method not in SAFE_METHODS and entry.user is not None:
                _name_hidden(request, entry)
            self._finish(entry, response.status_code)
        return response

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, values: dict[str, Any]) -> HttpResponse | None:
        """Answers 403 if the role does not permit the command or the page. Otherwise returns None, so that the view
        answers."""
        role, match = role_in(request), request.resolver_match
        if role is None or match is None or is_participants(match.route):
            return None
        if request.method in SAFE_METHODS:
            action = PAGES.get(match.route, Action.READ)
            refusal = may(role, action, owned=True)
            return refuse_account(request, refusal) if refusal is not None else None
        if match.route.startswith("api/") and check_csrf(request) is not None:
            return None  # sent by a page of another site: the API refuses it, and it is not the account's command
        command = command_at(match.route, values)
        if command is None:
            # An unknown command is refused, except for owners, to whom the view answers.
            unknown = may(role, Action.MANAGE, owned=True)
            return refuse_account(request, unknown) if unknown is not None else None
        _name_command(request.audit, command, values)  # type: ignore[attr-defined]
        refusal = refusal_of(request, command.action, command.kind, str(values.get("identity", "")))
        return refuse_account(request, refusal) if refusal is not None else None

    @staticmethod
    def _finish(entry: audit.PendingEntry, status: int) -> None:
        if status == DATABASE_AWAY:
            # Not stored: the browser would wait a second time for a database that another process has locked.
            log.warning(
                "missing from the audit trail: “%s” of %s, because the database does not answer",
                entry.action,
                entry.account,
            )
            return
        _store(entry, audit.DONE if status < 400 else audit.REFUSED if status < 500 else audit.FAILED)


def account_context(request: HttpRequest) -> dict[str, str]:
    """Context processor that adds ``role``: the role of the account, empty if the request comes from no account."""
    return {"role": str(role_in(request) or "")}
