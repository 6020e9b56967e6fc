"""What PostgreSQL takes differently."""

from __future__ import annotations

from psycopg import adapters
from psycopg.types.string import StrDumperUnknown


class WithoutNul(StrDumperUnknown):
    """Text that holds a NUL: SQLite keeps it, PostgreSQL has no text with it, and no page could show it."""

    def dump(self, obj: str) -> bytes | bytearray | memoryview | None:
        """As psycopg does, with the character that stands for what cannot be shown."""
        return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)


def register() -> None:
    """For all connections of this process that are opened from now on."""
    adapters.register_dumper(str, WithoutNul)
