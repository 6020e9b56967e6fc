"""``./netmodes restore``: what a backup holds, put in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from dashboard import configuration
from dashboard.backup.archive import BackupError
from dashboard.backup.keeping import Restored, restore_backup
from dashboard.core.operations.backup_manifest import say_size
from dashboard.management.commanding import FAILED, NetmodesCommand
from dashboard.management.serving import served_addresses


class Command(NetmodesCommand):
    """All of it or nothing; Netmodes must be stopped."""

    help = "Restores a backup into an empty data folder, or in place of what is there."

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, and what may become of what is there."""
        parser.add_argument("file", metavar="FILE", help="what netmodes backup wrote")
        parser.add_argument("--replace", action="store_true", help="keep the database that is there beside the new one")
        parser.add_argument("--check", action="store_true", help="change nothing: only say whether the file is whole")
        parser.add_argument("--json", action="store_true", help="print what was done as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Exit 0 once it is there, 1 with the reason."""
        source = Path(options["file"]).absolute()
        if not options["check"] and (serving := served_addresses()):
            message = f"Netmodes serves on {', '.join(serving)}: stop it first, then restore."
            raise CommandError(message, returncode=FAILED)
        try:
            done = restore_backup(
                source, configuration.data_dir(), self.migrate, replace=options["replace"], only_check=options["check"]
            )
        except (BackupError, DatabaseError) as error:
            raise CommandError(str(error), returncode=FAILED) from None
        except OSError as error:
            raise CommandError(f"{error.filename or source}: {error.strerror or error}.", returncode=FAILED) from None
        if options["json"]:
            self.print_json(done)
        else:
            self.stdout.write("\n".join(_said(source, done)))


def _said(source: Path, done: Restored) -> list[str]:
    made = f"made {done.manifest.made_at} by Netmodes {done.manifest.version}"
    if done.only_checked:
        return [f"{source} is whole: {say_size(done.manifest.size)}, {made}."]
    lines = [f"Restored what was {made}."]
    if done.migrated:
        lines.append("Its database was older and has been brought up to date.")
    if done.aside:
        lines.append(f"The database that was there is kept as {done.aside}.")
    if done.key:
        lines.append("The secret key came with it: whoever was signed in still is.")
    lines.append(f"Start it with {configuration.COMMAND} up.")
    return lines
