"""The replies to a call: pieces of output, then the result or an error, each split into messages of limited size."""

from collections.abc import Iterator
from enum import Enum

#: Characters in one message; each takes at most four bytes.
MAX_CHARACTERS = 100_000


class Kind(bytes, Enum):
    """The first byte of a reply. After ``PART`` the same text continues in the next message."""

    OUTPUT = b"o"
    PART = b"p"
    RESULT = b"r"
    REFUSED = b"e"


def encode_reply(kind: Kind, text: str) -> Iterator[bytes]:
    """The messages of a reply."""
    last = max(0, len(text) - 1) // MAX_CHARACTERS * MAX_CHARACTERS
    for start in range(0, last, MAX_CHARACTERS):
        yield Kind.PART + text[start : start + MAX_CHARACTERS].encode()
    yield kind + text[last:].encode()


def decode_reply(data: bytes) -> tuple[Kind, str]:
    """The kind and the text of a message. Raises ValueError."""
    return Kind(data[:1]), data[1:].decode()
