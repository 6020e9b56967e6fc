"""An echo server behind the server's own protocols, for the Autobahn test suite (docs/testing.md).

``python -m tests.web.http.server.echo_server PORT``. It accepts messages of 32 MB, because the suite sends 16 MB.
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

from dashboard.management.descriptors import raise_descriptor_limit
from dashboard.web.http.server.connection_limits import limited_protocol
from dashboard.web.http.server.shared_frames import SharedFrameProtocol


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Sends every message back."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        kind = "text" if message.get("text") is not None else "bytes"
        await send({"type": "websocket.send", kind: message[kind]})


def main() -> None:
    """Serves until Ctrl-C."""
    uvicorn.run(
        echo,
        port=int(sys.argv[1]),
        log_level="warning",
        lifespan="off",
        http=limited_protocol(raise_descriptor_limit(), lambda _peer: False),
        ws=SharedFrameProtocol,
        ws_max_size=32 << 20,
        ws_per_message_deflate=False,
    )


if __name__ == "__main__":
    main()
