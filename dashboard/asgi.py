"""The ASGI application: HTTP, websockets, and the start and stop of the lab."""

import asyncio
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter

from dashboard.web.http.asgi_handler import http_application

http = http_application()

from django.conf import settings  # noqa: E402 - after Django is set up
from django.db import DatabaseError  # noqa: E402
from django.db.backends.signals import connection_created  # noqa: E402

from dashboard import configuration  # noqa: E402
from dashboard.core.operations.database_problems import describe_database_error  # noqa: E402
from dashboard.routing import websocket_urlpatterns  # noqa: E402
from dashboard.store.database import limit_waiting  # noqa: E402
from dashboard.store.operations.database_clock import shared_clock  # noqa: E402
from dashboard.web.http.database import provide_threads, to_db_thread  # noqa: E402
from dashboard.web.http.guards import Application, BodyGuard, HostGuard, Receive, Scope, Send, SocketGuard  # noqa: E402
from dashboard.web.http.proxies import ProxyGuard  # noqa: E402
from dashboard.web.http.turns import HandshakeGuard, RequestGuard  # noqa: E402
from dashboard.web.operations.health import HealthCheck  # noqa: E402
from dashboard.web.operations.peer_sync import peer_sync  # noqa: E402
from dashboard.web.service import service  # noqa: E402
from dashboard.web.training.hub import hub as sessions  # noqa: E402

#: More than any form or import needs. Django keeps less in memory (``DATA_UPLOAD_MAX_MEMORY_SIZE``).
BODY_LIMIT_BYTES = 33 << 20


def say(text: str) -> None:
    """Prints a line to standard error."""
    sys.stderr.write(f"{text}\n")


class Lifespan:
    """ASGI middleware that starts the lab, or the connection to it, when the server starts, and stops it when the
    server ends."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles lifespan messages. Everything else goes to the application."""
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        provide_threads()
        clock = asyncio.create_task(shared_clock.follow(to_db_thread), name="database-clock")
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                connection_created.connect(limit_waiting)
                await service.start(configuration.data_dir(), say)
                await peer_sync.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                try:
                    await peer_sync.close()
                    await sessions.close()
                except DatabaseError as error:
                    say(describe_database_error(str(error)))
                clock.cancel()
                await service.stop(say)
                await send({"type": "lifespan.shutdown.complete"})
                return


def protocols() -> Application:
    """Returns the application that sends HTTP requests to Django and websockets to their consumers."""
    consumers = HandshakeGuard(AuthMiddlewareStack(SocketGuard(URLRouter(websocket_urlpatterns))))
    router: Application = ProtocolTypeRouter({"http": RequestGuard(http), "websocket": consumers})
    return router


application = Lifespan(
    ProxyGuard(HostGuard(HealthCheck(BodyGuard(protocols(), BODY_LIMIT_BYTES))), settings.TRUSTED_PROXIES)
)
