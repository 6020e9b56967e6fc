"""dashboard.web.http.threaded_views: slow views run in their own threads, and end when their client disconnects."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from dashboard.web.http.threaded_views import Check, ClientGoneError, cancellable, run_cancellable, threaded

TIMEOUT_S = 20


async def known_user() -> AnonymousUser:
    return AnonymousUser()


def make_request() -> HttpRequest:
    request = RequestFactory().get("/")
    request.auser = known_user
    return request


async def test_slow_views_run_beside_each_other() -> None:
    together = threading.Barrier(2)

    def view(_request: HttpRequest) -> HttpResponse:
        together.wait(TIMEOUT_S)
        return HttpResponse("done")

    run = threaded(view)
    answers = await asyncio.gather(run(make_request()), run(make_request()))
    assert [one.status_code for one in answers] == [200, 200]


async def test_a_view_whose_client_stays_is_not_ended() -> None:
    @cancellable
    def view(_request: HttpRequest, check: Check, word: str) -> HttpResponse:
        check()
        return HttpResponse(word)

    answer = await view(make_request(), word="done")
    assert isinstance(answer, HttpResponse)
    assert answer.content == b"done"


async def test_a_view_ends_when_its_client_disconnects() -> None:
    started, ended = threading.Event(), threading.Event()

    def work(check: Check) -> str:
        started.set()
        try:
            while not ended.wait(0.001):
                check()
        except ClientGoneError:
            ended.set()
            raise
        return "done"

    task = asyncio.create_task(run_cancellable(work))
    await asyncio.to_thread(started.wait, TIMEOUT_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, TIMEOUT_S)
