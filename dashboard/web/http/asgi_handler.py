"""Django's handler of requests, for browsers that go away while one is worked on."""

from __future__ import annotations

import asyncio

import django
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class RequestHandler(ASGIHandler):
    """Works on each request in a task, and so in a context, of its own.

    Who goes away cancels the request while a thread still works on it. asgiref then leaves that thread's executor in
    the request's context, and there it refuses what Django asks for last, the end of the request ("already quit or is
    broken"). What is left in a task's context ends with the task.
    """

    async def run_get_response(self, request: HttpRequest) -> HttpResponseBase:
        """The response; CancelledError when its browser has gone."""
        response: HttpResponseBase = await asyncio.create_task(super().run_get_response(request))
        return response


def http_application() -> RequestHandler:
    """Django's part of the server, set up."""
    django.setup(set_prefix=False)
    return RequestHandler()
