"""Uvicorn's websocket protocol, extended so that a message for many browsers is encoded only once."""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

#: The key in the scope's ``extensions`` of what this protocol offers in addition to ASGI.
EXTENSION = "netmodes.connection"
SWITCHING_PROTOCOLS = 101

_last_text: str | None = None
_last_frame = b""


def encode_frame(text: str) -> bytes:
    """Returns a text as a websocket frame. If the text object is that of the last call, it is not encoded again.

    A server does not mask frames (RFC 6455, 5.1), so all browsers can get the same bytes. The only exceptions are
    connections with an extension that transforms frames.
    """
    global _last_text, _last_frame  # noqa: PLW0603 - the newest text, which is being sent to all browsers
    if text is not _last_text:
        _last_frame = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
        _last_text = text
    return _last_frame


def direct_calls(scope: Any) -> tuple[Callable[[str], bool] | None, Callable[[], None] | None]:
    """Returns two functions that act on a websocket without waiting: ``write_now``, and ``abort``, which ends the
    connection and discards what is not sent. Returns None for both if the server does not offer them."""
    offered = scope.get("extensions", {}).get(EXTENSION, {})
    return offered.get("write"), offered.get("abort")


def is_utf8(data: bytes) -> bool:
    """Returns whether the bytes are valid UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class FrameParser(ServerProtocol):
    """Parses frames as ``websockets`` does, but also accepts a close frame between the fragments of a message.

    RFC 6455, 5.4 permits control frames there; case 7.1.5 of the Autobahn test suite checks it.
    """

    def recv_frame(self, frame: Frame) -> None:
        """Handles an incoming frame. A close frame discards an incomplete message."""
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class SharedFrameProtocol(WebSocketsSansIOProtocol):
    """Websocket protocol that offers the application ``write_now`` and ``abort`` in addition to ASGI's ``send``.

    ``write_now`` needs no task, no coroutine and no new frame for each browser. Measured with 200 browsers and messages
    of 7.5 KB: 12 µs instead of 27 µs of CPU per message, most of it in the kernel.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = FrameParser(
            extensions=self.conn.available_extensions, max_size=self.config.ws_max_size, logger=self.logger
        )

    def handle_connect(self, event: Request) -> None:
        """Adds ``write_now`` and ``abort`` to the scope's extensions before the application starts."""
        super().handle_connect(event)
        if self.response.status_code == SWITCHING_PROTOCOLS:
            self.scope["extensions"][EXTENSION] = {"write": self.write_now, "abort": self.transport.abort}

    def pause_writing(self) -> None:
        """Stops reading from a browser that does not read.

        Otherwise the browser could send pings forever, and the unsent pongs would fill the memory.
        """
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Reads from the browser again, unless the application is too slow to receive the browser's messages."""
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    async def receive(self) -> Any:
        """Returns the next message of the browser to the application.

        Uvicorn then resumes reading from the browser. This method pauses it again if the browser does not read what is
        sent to it.
        """
        message = await super().receive()
        if not self.writable.is_set() and not self.transport.is_closing():
            self.transport.pause_reading()
        return message

    def send_receive_event_to_app(self) -> None:
        """Passes a message to the application. Closes the connection with 1007 if a text message is not valid UTF-8.

        Uvicorn would close it, too, but log a traceback each time, so that one browser could fill the log.
        """
        if self.curr_msg_data_type == "text" and not self.close_sent and not is_utf8(b"".join(self.frames)):
            self.frames = []
            self.conn.send_close(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def write_now(self, text: str) -> bool:
        """Writes a text message without waiting. Returns whether it was written.

        Returns False if the browser is slow, or if the connection is not open or uses an extension. The caller must
        then use ``send``, which waits or raises.
        """
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
