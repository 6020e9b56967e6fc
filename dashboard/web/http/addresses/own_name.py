"""Redirects browsers on this machine to the installation's own host name (``core.operations.own_name``)."""

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from dashboard.core.operations.own_name import is_redirected
from dashboard.web.http.browser_sessions import SessionStore
from dashboard.web.http.guards import View, split_host


class OwnNameMiddleware:
    """Redirects browsers from shared host names (``SHARED_NAMES``) to the server's own name.

    Other programs on this machine use the shared names as well, and browsers send cookies to every port of a host name.
    So the redirect comes before the browser gets a cookie, and deletes those that earlier versions set.
    """

    def __init__(self, get_response: View) -> None:
        if not settings.OWN_NAME:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answers 302 to a browser that opens a page under a shared name. Passes all other requests on."""
        name, port = split_host(request.get_host())
        if request.is_secure() or not is_redirected(str(request.method), name, request.headers):
            return self.get_response(request)
        host = settings.OWN_NAME + (f":{port}" if port else "")
        response: HttpResponse = redirect(f"{request.scheme}://{host}{request.get_full_path()}")
        for cookie in _earlier_cookies(request):
            response.delete_cookie(cookie)
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        return response


def _earlier_cookies(request: HttpRequest) -> set[str]:
    """Returns the names of the cookies that an earlier version of this installation set under the shared name.

    Empty if the session cookie is not from this server: the cookies may then belong to another Django program on
    this machine.
    """
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    if not session or not SessionStore().exists(session):
        return set()
    return {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME} & request.COOKIES.keys()
