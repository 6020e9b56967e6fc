"""What stands in a backup about itself, and whether this Netmodes can restore it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

SCHEMA = "backup/1"
#: Without it a database is none of ours.
FIRST = "dashboard.0001_initial"


@dataclass(frozen=True, slots=True)
class BackedUp:
    """One file of a backup, with the SHA-256 of its content in hexadecimal digits."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """``backup/1``: ``version`` of the Netmodes that made it, ``made_at`` as ISO 8601, ``database`` sqlite or
    postgresql, and the ``migrations`` that were applied, as ``app.name``."""

    version: str
    made_at: str
    database: str
    migrations: tuple[str, ...]
    files: tuple[BackedUp, ...]
    schema: str = SCHEMA

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.files)


def why_not(manifest: Manifest, known: Collection[str], database: str, version: str) -> str:
    """Why it cannot be restored here, in a sentence; empty if it can. ``known`` are the migrations of this version."""
    if manifest.schema != SCHEMA:
        return f"The backup is in the form {manifest.schema[:40]}, which this version {version} cannot read."
    if FIRST not in manifest.migrations:
        return "The backup holds no database of Netmodes."
    newer = sorted(set(manifest.migrations) - set(known))
    if newer:
        return (
            f"The backup was made by Netmodes {manifest.version[:40]}, which is newer than this version {version}: "
            f"its database has {newer[0][:80]}. Restore it with that version or a newer one."
        )
    if manifest.database != database:
        return (
            f"The backup is of a {manifest.database[:20]} database, and DATABASE_URL names a {database} one: "
            "restore it where it came from."
        )
    return ""


def say_size(size: int) -> str:
    """``812 kB`` or ``4.1 MB``."""
    return f"{size / 1e6:.1f} MB" if size >= 1_000_000 else f"{max(1, round(size / 1000))} kB"
