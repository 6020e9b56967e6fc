"""The HTTP server of ``./netmodes up``. It runs in the lab's process or in a separate one of an ordinary user."""

import asyncio
import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from django.conf import settings

from dashboard import interrupts
from dashboard.asgi import application
from dashboard.core.operations.proxy_headers import is_trusted
from dashboard.management.descriptors import raise_descriptor_limit
from dashboard.management.memory import limit_garbage
from dashboard.web.http.server.connection_limits import limited_protocol
from dashboard.web.http.server.shared_frames import SharedFrameProtocol
from dashboard.web.service import service

#: Uvicorn logs this as an error for each websocket that is refused with a response, or whose browser leaves before it.
NO_HANDSHAKE = "ASGI callable returned without completing handshake."
STOPPING = f"Stopping containers. Ctrl-C after {interrupts.GRACE_S:.0f} seconds leaves them running."


def is_printed(record: logging.LogRecord) -> bool:
    """A logging filter for messages of uvicorn. Suppresses ``NO_HANDSHAKE``. When the server stops, also suppresses the
    tracebacks of requests that uvicorn cancels, and rewords the message that states the number of these requests."""
    if record.msg == NO_HANDSHAKE:
        return False
    if record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError):
        return False
    if str(record.msg).startswith("Cancel %s running task"):
        record.msg = "The server stopped before it had answered %s requests."
    return True


def server_config() -> uvicorn.Config:
    """The configuration of uvicorn. It contains no address, because the caller passes listening sockets."""
    config = uvicorn.Config(
        application,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="on",
        http=limited_protocol(raise_descriptor_limit(), lambda peer: is_trusted(peer, settings.TRUSTED_PROXIES)),
        ws=SharedFrameProtocol,
        ws_max_size=64 * 1024,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
        proxy_headers=False,
    )
    logging.getLogger("uvicorn.error").addFilter(is_printed)
    return config


class PageServer(uvicorn.Server):
    """The uvicorn server of the pages. It calls ``on_started`` once it serves pages, and ``say`` with messages to
    print."""

    def __init__(self, on_started: Callable[[], None], say: Callable[[str], None]) -> None:
        super().__init__(server_config())
        self._on_started = on_started
        self._say = say
        self._is_warned = False

    def handle_exit(self, sig: int, _frame: FrameType | None) -> None:
        """Handles a signal: ends the server, even while it starts. Further signals only print a warning, because an
        abort would leave containers behind. After a few seconds, another Ctrl-C aborts."""
        if interrupts.is_first(sig):
            self.should_exit = True
            service.abort_start()
        elif not self._is_warned:
            self._is_warned = True
            self._say(STOPPING)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts uvicorn and calls ``limit_garbage``. If pages are served now, calls ``on_started``."""
        await super().startup(sockets)
        limit_garbage()
        if self.started and not self.should_exit:
            self._on_started()


def serve(listening: list[socket.socket], link: socket.socket) -> None:
    """Serves pages until SIGTERM. ``link`` is the socket to the lab, which runs in another process."""
    service.link = link
    PageServer(service.report_ready, lambda _text: None).run(sockets=listening)
