"""Sign-in with one-time links, and sign-out."""

from asgiref.sync import sync_to_async
from django.contrib.auth import alogout, get_user_model, login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard.models.access import redeem
from dashboard.web.http.session_connections import end_session

OWNER = "owner"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@require_safe
def sign_in(request: HttpRequest) -> HttpResponse:
    """Exchanges a link for a session cookie and redirects to a URL without the token."""
    token = request.GET.get("token", "")
    if not token:
        return redirect("/") if request.user.is_authenticated else render(request, "sign_in.html", status=401)
    if request.method == "GET" and redeem(token):
        user, _created = get_user_model().objects.get_or_create(username=OWNER)
        login(request, user, backend=BACKEND)
    if request.user.is_authenticated:
        response: HttpResponse = redirect("/")
    else:
        response = render(request, "sign_in.html", {"expired": True}, status=401)
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response


@require_POST
async def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the session and closes its connections."""
    key = request.session.session_key
    await alogout(request)
    end_session(key or "")
    return await sync_to_async(render)(request, "sign_in.html", {"signed_out": True})
