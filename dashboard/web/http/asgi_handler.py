"""Django's request handler for browsers that disconnect during a request."""

import asyncio

import django
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class RequestHandler(ASGIHandler):
    """Handles each request in its own task, and so in its own context.

    A disconnect cancels the request while a thread still works on it. asgiref then leaves that thread's executor in the
    request's context, where it refuses the last call, the end of the request ("already quit or is broken"). The context
    of a task ends with the task.
    """

    async def run_get_response(self, request: HttpRequest) -> HttpResponseBase:
        """The response; CancelledError after a disconnect."""
        response: HttpResponseBase = await asyncio.create_task(super().run_get_response(request))
        return response


def http_application() -> RequestHandler:
    """The ASGI application for HTTP; sets Django up."""
    django.setup(set_prefix=False)
    return RequestHandler()
