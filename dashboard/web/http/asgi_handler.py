"""Django's request handler, adapted for browsers that disconnect during a request."""

import asyncio

import django
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class RequestHandler(ASGIHandler):
    """Handles each request in a separate task, and thus in a separate context.

    A disconnect cancels the request while a thread still works on it. asgiref then leaves that thread's executor in the
    request's context, where the signal at the end of the request fails ("already quit or is broken"). The context of a
    separate task is dropped with the task.
    """

    async def run_get_response(self, request: HttpRequest) -> HttpResponseBase:
        """The response to a request. Raises CancelledError after a disconnect."""
        response: HttpResponseBase = await asyncio.create_task(super().run_get_response(request))
        return response


def http_application() -> RequestHandler:
    """Sets Django up, and returns the ASGI application for HTTP."""
    django.setup(set_prefix=False)
    return RequestHandler()
