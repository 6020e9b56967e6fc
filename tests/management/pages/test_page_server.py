"""The server of pages stops while many requests wait."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import uvicorn

from dashboard.management.pages import page_server
from dashboard.web.http.turns import RequestGuard
from tests.support.polling import eventually

REQUESTS = 40


class Hanging:
    """An application that answers no request."""

    def __init__(self) -> None:
        self.begun = 0

    async def __call__(self, _scope: Any, receive: Any, _send: Any) -> None:
        self.begun += 1
        await receive()
        await asyncio.Event().wait()


class Messages(logging.Handler):
    """What uvicorn logs."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


async def answers_at_the_stop(config: uvicorn.Config, application: Hanging, begun: int) -> list[bytes]:
    """The responses to ``REQUESTS`` requests when the server stops after ``begun`` of them have begun."""
    config.timeout_graceful_shutdown, config.port, config.lifespan = 0, 0, "off"
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    await eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(REQUESTS)]
    for _, writer in connections:
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await eventually(lambda: application.begun >= begun and len(server.server_state.tasks) == REQUESTS)
    server.should_exit = True
    answers = await asyncio.gather(*(reader.read() for reader, _ in connections))
    await serving
    for _, writer in connections:
        writer.close()
    return answers


@pytest.mark.parametrize("guarded", [True, False])
async def test_requests_that_wait_when_the_server_stops_are_reported_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    application = Hanging()
    monkeypatch.setattr(page_server, "application", RequestGuard(application) if guarded else application)
    config, messages = page_server.server_config(), Messages()
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(messages)
    try:
        answers = await answers_at_the_stop(config, application, 2 if guarded else REQUESTS)
    finally:
        logger.removeHandler(messages)
        logger.removeFilter(page_server.is_printed)
    assert messages.texts == [f"The server stopped before it had answered {REQUESTS} requests."]
    if guarded:
        assert all(answer.startswith(b"HTTP/1.1 503") and b"Netmodes is stopping." in answer for answer in answers)
