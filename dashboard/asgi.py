"""The composition root: what a server runs."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter

from dashboard.web.http.asgi_handler import http_application

http = http_application()

from django.conf import settings  # noqa: E402 - after Django is set up

from dashboard import configuration  # noqa: E402
from dashboard.routing import websocket_urlpatterns  # noqa: E402
from dashboard.web.http.guards import Application, BodyGuard, HostGuard, Receive, Scope, Send, SocketGuard  # noqa: E402
from dashboard.web.http.proxies import ProxyGuard  # noqa: E402
from dashboard.web.operations.peer_sync import team  # noqa: E402
from dashboard.web.service import service  # noqa: E402
from dashboard.web.training.hub import hub as classes  # noqa: E402

#: More than any form or import needs; what Django keeps in memory is less (``DATA_UPLOAD_MAX_MEMORY_SIZE``).
BODY_LIMIT_BYTES = 33 << 20


def say(text: str) -> None:
    """A line for the person at the terminal."""
    sys.stderr.write(f"{text}\n")


class Lifespan:
    """Starts the lab with the server and stops it with it (ASGI lifespan)."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lifespan here, everything else below."""
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await service.start(configuration.data_dir(), say)
                await team.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await team.close()
                await classes.close()
                await service.stop(say)
                await send({"type": "lifespan.shutdown.complete"})
                return


application = Lifespan(
    ProxyGuard(
        HostGuard(
            BodyGuard(
                ProtocolTypeRouter(
                    {
                        "http": http,
                        "websocket": AuthMiddlewareStack(SocketGuard(URLRouter(websocket_urlpatterns))),
                    }
                ),
                BODY_LIMIT_BYTES,
            )
        ),
        settings.TRUSTED_PROXIES,
    )
)
