"""Authentication of requests to the HTTP API."""

from typing import Any

from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import APIKeyCookie


class SessionCookie(APIKeyCookie):
    """Authenticates requests by the session cookie of the pages.

    Requests that change something also need the header X-CSRFToken and a JSON body. A form on another site can send
    neither: HTML forms set no headers of their own, and have only three content types, none of which is JSON.
    """

    param_name = "sessionid"

    def __call__(self, request: HttpRequest) -> Any:
        """Returns the signed-in user; None if no user is signed in.

        Raises HttpError: 403 without the CSRF token, 415 for a body that is not JSON.
        """
        try:
            user = super().__call__(request)
        except HttpError:
            raise HttpError(403, "Send the value of the csrftoken cookie in the header X-CSRFToken.") from None
        if request.method not in {"GET", "HEAD"} and not _has_json_body(request):
            raise HttpError(415, "Send JSON with Content-Type: application/json.")
        return user

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        """Returns the signed-in user; None if no user is signed in."""
        return request.user if request.user.is_authenticated else None


def _has_json_body(request: HttpRequest) -> bool:
    """Returns whether the body is JSON. Also returns True if the request has neither a body nor a content type."""
    return request.content_type == "application/json" or not (request.content_type or request.body)
