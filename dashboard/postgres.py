"""Makes psycopg accept text that PostgreSQL cannot store."""

from psycopg import adapters
from psycopg.types.string import StrDumperUnknown


class NulReplacingDumper(StrDumperUnknown):
    """Replaces NUL in text: SQLite stores it, PostgreSQL does not, and pages cannot show it."""

    def dump(self, obj: str) -> bytes | bytearray | memoryview | None:
        """Psycopg's dump, with U+FFFD in place of NUL."""
        return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)


def register() -> None:
    """Registers the dumper for new connections of this process."""
    adapters.register_dumper(str, NulReplacingDumper)
