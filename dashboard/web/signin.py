"""One-time sign-in links: made by a command, exchanged once for a session."""

from __future__ import annotations

import hashlib
import secrets
import time

from django.contrib.auth import get_user_model, login, logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard.models import SignInLink

LIFE_S = 24 * 3600
OWNER = "owner"
BACKEND = "django.contrib.auth.backends.ModelBackend"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def make_token() -> str:
    """A new link's token, 256 random bits; only its digest is kept. Old links are forgotten."""
    token = secrets.token_urlsafe(32)
    now = time.time()
    SignInLink.objects.filter(expires_at__lt=now).delete()
    SignInLink.objects.create(digest=_digest(token), created_at=now, expires_at=now + LIFE_S)
    return token


def redeem(token: str) -> bool:
    """Whether the token was good; it is not afterwards."""
    with transaction.atomic():
        used = SignInLink.objects.filter(
            digest=_digest(token), used_at__isnull=True, expires_at__gte=time.time()
        ).update(used_at=time.time())
    return used == 1


@require_safe
def sign_in(request: HttpRequest) -> HttpResponse:
    """Exchanges the link for a session cookie and strips the token from the address."""
    token = request.GET.get("token", "")
    if not token:
        return redirect("/") if request.user.is_authenticated else render(request, "signin.html", status=401)
    if request.method == "GET" and redeem(token):
        user, _created = get_user_model().objects.get_or_create(username=OWNER)
        login(request, user, backend=BACKEND)
        response: HttpResponse = redirect("/")
    elif request.user.is_authenticated:
        response = redirect("/")
    else:
        response = render(request, "signin.html", {"expired": True}, status=401)
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the session."""
    logout(request)
    return render(request, "signin.html", {"signed_out": True})
