"""What goes over a terminal's websocket. What is printed and typed are bytes: a letter may come in two frames.

A browser sends binary frames (what is typed, at most ``TYPED_BYTES``) and small JSON texts; it gets binary frames
(where the bytes begin, eight bytes, then the bytes) and JSON texts. ``docs/api.md`` lists them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from dashboard.core.experiments.stream import PROTOCOL_VERSION
from dashboard.core.terminal.limits import TYPED_BYTES

CONTROL_CHARACTERS = 200
INTERRUPT = b"\x03"
_OFFSET = struct.Struct(">Q")

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
Size = Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class FrameError(ValueError):
    """A browser has sent what no page of ours sends; ``str()`` is a sentence."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Keys or a piece of what was pasted."""

    data: bytes


class Resize(msgspec.Struct, frozen=True, tag="resize", forbid_unknown_fields=True):
    """How much this window shows."""

    cols: Size
    rows: Size


class Seen(msgspec.Struct, frozen=True, tag="seen", forbid_unknown_fields=True):
    """Up to where the window has drawn."""

    at: Count


class Start(msgspec.Struct, frozen=True, tag="start", forbid_unknown_fields=True):
    """A new shell after the last one has ended."""


Control = Resize | Seen | Start
_decoder = msgspec.json.Decoder(Control)


def read_frame(text: str | None, data: bytes | None) -> Typed | Control:
    """What a browser says. FrameError for anything else."""
    if data is not None:
        if not 0 < len(data) <= TYPED_BYTES:
            raise FrameError(f"A terminal takes at most {TYPED_BYTES} bytes at once, and not none.")
        return Typed(data)
    if text is None or len(text) > CONTROL_CHARACTERS:
        raise FrameError("A message to a terminal is short.")
    try:
        found: Control = _decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise FrameError("A terminal does not know this message.") from error
    except UnicodeEncodeError as error:  # half a surrogate
        raise FrameError("A message to a terminal is text.") from error
    return found


def output(offset: int, data: bytes) -> bytes:
    """A frame of output, which begins at this byte of all that the shell has printed."""
    return _OFFSET.pack(offset) + data


def read_output(frame: bytes) -> tuple[int, bytes]:
    """The same, the other way round. FrameError for what is none."""
    if len(frame) < _OFFSET.size:
        raise FrameError("A frame of output begins with eight bytes.")
    return _OFFSET.unpack_from(frame)[0], frame[_OFFSET.size :]


@dataclass(frozen=True, slots=True)
class TerminalHello:
    """A shell from its beginning or from where the window stopped: output begins at ``start``, and up to ``live`` it is
    what was printed before. ``run`` names the shell."""

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
    """The size that all windows of the shell have agreed on."""

    cols: int
    rows: int
    type: Literal["size"] = "size"
    v: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class TerminalTaken:
    """So many bytes that this window has sent were given to the shell."""

    bytes: int
    type: Literal["taken"] = "taken"
    v: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class TerminalEnded:
    """There is no shell: why. ``again`` tells whether a new one can be had."""

    reason: str
    again: bool
    type: Literal["ended"] = "ended"
    v: int = PROTOCOL_VERSION
