"""Django's request handler, adapted for browsers that disconnect during a request."""

import asyncio

import django
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class RequestHandler(ASGIHandler):
    """Handles each request in a separate task, and thus in a separate context (``contextvars``).

    Otherwise, a request can fail if the browser disconnects. Django then cancels the request while a thread still works
    on it, and asgiref leaves that thread's executor in the request's context. The signal ``request_finished``, which
    Django sends at the end, uses this executor and fails ("already quit or is broken"). The context of a separate task
    is discarded together with the task.
    """

    async def run_get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Returns the response to a request. Raises CancelledError if the browser disconnects first."""
        response: HttpResponseBase = await asyncio.create_task(super().run_get_response(request))
        return response


def http_application() -> RequestHandler:
    """Sets up Django and returns the ASGI application for HTTP."""
    django.setup(set_prefix=False)
    return RequestHandler()
