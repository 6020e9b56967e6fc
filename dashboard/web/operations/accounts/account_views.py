"""The page of all accounts for owners, and the page of the user's own account."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.core.operations.roles import Role, table
from dashboard.store.operations import accounts
from dashboard.store.operations.accounts import AccountError
from dashboard.web.http.addresses.own_addresses import join_address
from dashboard.web.http.session_connections import end_session, reconnect_session, renew_session
from dashboard.web.http.threaded_views import threaded


def _page(request: HttpRequest, status: int = 200, **extra: Any) -> HttpResponse:
    context = {
        "accounts": accounts.listed(),
        "roles": tuple(Role),
        "table": tuple(table()),
        "me": request.user.pk,
        "typed": {"role": Role.INSTRUCTOR},
        **extra,
    }
    return render(request, "operations/accounts/accounts.html", context, status=status)


def _show_link(request: HttpRequest, token: str, name: str) -> HttpResponse:
    address = join_address(request)
    link = f"{address.origin}/sign-in/?token={token}"
    return _page(request, 201, link=link, is_local=address.is_local, link_name=name)


def _role(request: HttpRequest) -> Role:
    try:
        return Role(request.POST.get("role", ""))
    except ValueError:
        raise AccountError(_("Choose one of the roles.")) from None


@require_http_methods(["GET", "HEAD", "POST"])
def accounts_page(request: HttpRequest) -> HttpResponse:
    """Renders the page of all accounts. POST invites an account, and shows its sign-in link once."""
    if request.method != "POST":
        return _page(request)
    typed = {field: request.POST.get(field, "").strip()[:200] for field in ("name", "email", "role")}
    try:
        token = accounts.invite(typed["name"], typed["email"], _role(request))
    except AccountError as error:
        return _page(request, 400, problem=str(error), typed=typed)
    return _show_link(request, token, typed["name"])


def _set_role(request: HttpRequest, account: int) -> None:
    for key in accounts.change_role(account, _role(request)):
        reconnect_session(key)


def _deactivate(_request: HttpRequest, account: int) -> None:
    for key in accounts.set_active(account, active=False):
        end_session(key)


def _activate(_request: HttpRequest, account: int) -> None:
    accounts.set_active(account, active=True)


def _sign_out(_request: HttpRequest, account: int) -> None:
    for key in accounts.sign_out(account):
        end_session(key)


CHANGES: dict[str, Callable[[HttpRequest, int], None]] = {
    "role": _set_role,
    "deactivate": _deactivate,
    "activate": _activate,
    "sign-out": _sign_out,
}


@require_POST
def change(request: HttpRequest, account: int, what: str) -> HttpResponse:
    """Changes an account. ``what``: role, link (a new sign-in link), deactivate, activate, or sign-out (in all
    browsers)."""
    row = next((row for row in accounts.listed() if row.id == account), None)
    if row is None or (what != "link" and what not in CHANGES):
        raise Http404(_("This account does not exist, or the action is unknown."))
    try:
        if what == "link":
            return _show_link(request, accounts.new_link(account), row.name)
        CHANGES[what](request, account)
    except AccountError as error:
        return _page(request, 409, problem=str(error))
    return redirect("/accounts/")


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@threaded
def own_account(request: HttpRequest) -> HttpResponse:
    """Renders the page of the user's own account, with a form that sets or changes the password.

    A new password signs the user out in all other browsers, and invalidates the user's sign-in links.
    """
    user = User.objects.get(pk=request.user.pk or 0)
    kind = PasswordChangeForm if user.password and user.has_usable_password() else SetPasswordForm
    if request.method != "POST":
        return _own_page(request, kind(user))
    form = kind(user, request.POST)
    if not form.is_valid():
        return _own_page(request, form, 400)
    for key in accounts.save_password(form, request.session.session_key or ""):
        end_session(key)
    renew_session(request, form.user)
    return _own_page(request, PasswordChangeForm(form.user), done=True)


def _own_page(
    request: HttpRequest, form: SetPasswordForm[User], status: int = 200, *, done: bool = False
) -> HttpResponse:
    context = {"form": form, "name": request.user.get_username(), "done": done}
    return render(request, "operations/accounts/account.html", context, status=status)
