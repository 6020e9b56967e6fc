"""The frames of a terminal's websocket. Input and output are bytes: a character may be split between two frames.

A browser sends binary frames (input, at most ``TYPED_BYTES``) and small JSON texts. It receives binary frames (the
offset in eight bytes, then the output) and JSON texts. ``docs/api.md`` lists them.
"""

import struct
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from dashboard.core.experiments.stream import PROTOCOL_VERSION
from dashboard.core.terminal.limits import TYPED_BYTES

MAX_CONTROL = 200
INTERRUPT = b"\x03"
_OFFSET = struct.Struct(">Q")

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
Size = Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class FrameError(ValueError):
    """Raised for an invalid frame. The message tells why it is invalid."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Input: keys, or a piece of pasted text."""

    data: bytes


class Resize(msgspec.Struct, frozen=True, tag="resize", forbid_unknown_fields=True):
    """Reports the size of the browser's window."""

    cols: Size
    rows: Size


class Seen(msgspec.Struct, frozen=True, tag="seen", forbid_unknown_fields=True):
    """Reports that the window has drawn the output up to this offset."""

    at: Count


class Start(msgspec.Struct, frozen=True, tag="start", forbid_unknown_fields=True):
    """Starts a new shell after the previous one has ended."""


Control = Resize | Seen | Start
_decoder = msgspec.json.Decoder(Control)


def read_frame(text: str | None, data: bytes | None) -> Typed | Control:
    """Parses a browser's frame: ``data`` or, if that is None, ``text``. Raises FrameError if it is invalid."""
    if data is not None:
        if not 0 < len(data) <= TYPED_BYTES:
            raise FrameError(f"Input must have from 1 to {TYPED_BYTES} bytes.")
        return Typed(data)
    if text is None or len(text) > MAX_CONTROL:
        raise FrameError(f"A text message must have at most {MAX_CONTROL} characters.")
    try:
        control: Control = _decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise FrameError("This message is unknown.") from error
    except UnicodeEncodeError as error:  # a lone surrogate
        raise FrameError("A text message must be valid Unicode.") from error
    return control


def output(offset: int, data: bytes) -> bytes:
    """Builds a frame with output. ``offset`` is its position in everything that the shell has printed."""
    return _OFFSET.pack(offset) + data


@dataclass(frozen=True, slots=True)
class TerminalHello:
    """The first message to a window. ``run`` identifies the shell that the window shows. The output begins at the
    offset ``start``; for a window that reconnects, this is where it had stopped. Output before the offset ``live`` was
    printed before this message. Later output is new."""

    run: str
    start: int
    live: int
    cols: int
    rows: int
    recorded: bool
    type: Literal["hello"] = "hello"
    v: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class TerminalSize:
    """The common size of all windows of the shell."""

    cols: int
    rows: int
    type: Literal["size"] = "size"
    v: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class TerminalTaken:
    """Reports how many bytes of this window's input the shell has read."""

    bytes: int
    type: Literal["taken"] = "taken"
    v: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class TerminalEnded:
    """Reports why no shell runs. ``again`` is true if participants can start a new one."""

    reason: str
    again: bool
    type: Literal["ended"] = "ended"
    v: int = PROTOCOL_VERSION
