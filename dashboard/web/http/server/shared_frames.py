"""Uvicorn's websocket protocol with shared frames for a message to many browsers."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request

#: The key of ``write_now`` in the ``extensions`` of the application's scope.
EXTENSION = "netmodes.write_now"
SWITCHING_PROTOCOLS = 101

_last_text: str | None = None
_last_frame = b""


def encode_frame(text: str) -> bytes:
    """The text as a frame, encoded once for the same object: frames of a server are not masked (RFC 6455, 5.1), so all
    browsers get the same bytes, unless an extension transforms them."""
    global _last_text, _last_frame  # noqa: PLW0603 - the newest text, which is being sent to all browsers
    if text is not _last_text:
        _last_frame = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
        _last_text = text
    return _last_frame


class SharedFrameProtocol(WebSocketsSansIOProtocol):
    """Offers ``write_now`` in addition to ASGI's ``send``, without a task, coroutine and frame for each browser.

    Measured with 200 browsers and messages of 7.5 KB: 12 µs instead of 27 µs of CPU per message, most of it in the
    kernel.
    """

    def handle_connect(self, event: Request) -> None:
        """Adds the extension; the application has only been scheduled and will see it."""
        super().handle_connect(event)
        if self.response.status_code == SWITCHING_PROTOCOLS:
            self.scope["extensions"][EXTENSION] = {"write": self.write_now}

    def write_now(self, text: str) -> bool:
        """Writes the text without waiting. False if the browser is slow or closing; ``send`` then waits or raises."""
        if (
            not self.handshake_complete
            or self.close_sent
            or self.disconnected
            or not self.writable.is_set()
            or self.conn.extensions
            or self.transport.is_closing()
        ):
            return False
        self.transport.write(encode_frame(text))
        return True
