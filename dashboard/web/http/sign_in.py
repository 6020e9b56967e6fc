"""Views for sign-in with one-time links or a password, and for sign-out."""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import alogout, authenticate, login
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.store.operations import accounts, audit, rate_limits
from dashboard.store.operations.accounts import redeem
from dashboard.store.operations.database_clock import shared_clock
from dashboard.web.http.session_connections import end_session
from dashboard.web.http.threaded_views import threaded

BACKEND = "django.contrib.auth.backends.ModelBackend"
SIGN_IN = "sign in"


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@threaded  # checking a password takes a large part of a second
def sign_in(request: HttpRequest) -> HttpResponse:
    """View: signs in with the token of a link, or with a name and a password. Then redirects to a URL without the
    token."""
    token = request.GET.get("token", "")
    if request.method == "POST":
        return keep_secret(_with_password(request))
    if not token:
        return redirect("/") if request.user.is_authenticated else sign_in_page(request)
    if request.method == "GET":
        _with_link(request, token)
    return keep_secret(redirect("/") if request.user.is_authenticated else sign_in_page(request, expired=True))


def keep_secret(response: HttpResponse) -> HttpResponse:
    """Sets headers that keep the URL out of referrers and the response out of caches, and returns the response."""
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response


def sign_in_page(request: HttpRequest, status: int = 401, **context: Any) -> HttpResponse:
    """Renders the sign-in page with the methods that are available: password, OpenID Connect, link.

    ``context``: further variables of the template, such as ``problem``.
    """
    try:
        passwords = accounts.has_passwords()
    except DatabaseError:
        passwords = False  # the page still explains where to find the link
    ways = {"passwords": passwords, "openid_name": settings.OIDC_NAME if settings.OIDC_ISSUER else ""}
    return render(request, "sign_in.html", {**ways, **context}, status=status)


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def enter(request: HttpRequest, user: User, way: str) -> None:
    """Signs a user in, with an entry in the audit trail. ``way``: link, password or the name of an OpenID provider.

    A user who is already signed in gets the whole lifetime of the session again, and keeps the CSRF token: ``login``
    would replace it, and the forms of all open pages contain it.
    """
    if request.user.pk == user.pk:
        request.session.modified = True
    else:
        login(request, user, backend=BACKEND)
    audit.record(SIGN_IN, way, audit.DONE, user=user.pk, account=user.get_username(), address=_address(request))


def _with_link(request: HttpRequest, token: str) -> None:
    """Signs in with the token of a one-time link. Does nothing if the token is wrong or the account is disabled.

    Wrong tokens are not recorded: 256 bits cannot be guessed, and anyone could fill the audit trail.
    """
    link = redeem(token)
    if link is None:
        return
    user = link.user if link.user_id else accounts.the_owner()
    if user is not None and user.is_active:
        enter(request, user, "link")


def _with_password(request: HttpRequest) -> HttpResponse:
    """Signs in with the name and password of the form, and returns a redirect or the sign-in page with the problem.

    The number of wrong passwords is limited per address and per account. Wrong passwords of existing accounts are
    recorded in the audit trail.
    """
    name, password = request.POST.get("name", "")[:150], request.POST.get("password", "")[:4096]
    if not name or not password:
        return sign_in_page(request, problem=_("Enter your name and your password."), name=name)
    address, now = _address(request), shared_clock()
    if wait_s := rate_limits.take(rate_limits.wrong_passwords(address, name), now):
        problem = _("Too many wrong passwords. Try again in %(seconds)d seconds.") % {"seconds": int(wait_s) + 1}
        return sign_in_page(request, 429, problem=problem, name=name)
    user = authenticate(request, username=name, password=password)
    if not isinstance(user, User):
        known = User.objects.filter(username=name).first()
        if known is not None:
            audit.record(SIGN_IN, "password", audit.REFUSED, user=known.pk, account=name, address=address)
        return sign_in_page(request, problem=_("The name or the password is wrong."), name=name)
    rate_limits.give_back(rate_limits.wrong_passwords(address, name), now)
    enter(request, user, "password")
    return redirect("/")


@require_POST
async def sign_out(request: HttpRequest) -> HttpResponse:
    """View: ends the browser session and closes its websockets."""
    key = request.session.session_key
    await alogout(request)
    end_session(key or "")
    return await sync_to_async(render)(request, "sign_in.html", {"signed_out": True})
