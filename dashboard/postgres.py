"""Lets psycopg store text with NUL characters, which PostgreSQL does not accept."""

from psycopg import adapters
from psycopg.types.string import StrDumperUnknown


class NulReplacingDumper(StrDumperUnknown):
    """Replaces NUL characters in text by U+FFFD. SQLite stores NUL, PostgreSQL does not, and pages cannot show it."""

    def dump(self, obj: str) -> bytes | bytearray | memoryview | None:
        """Returns the text as psycopg sends it, with U+FFFD in place of NUL."""
        return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)


def register() -> None:
    """Registers ``NulReplacingDumper`` for all connections that this process opens from now on."""
    adapters.register_dumper(str, NulReplacingDumper)
