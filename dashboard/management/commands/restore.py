"""``./netmodes restore``: restores a backup."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from dashboard import configuration
from dashboard.backup.archive import BackupError
from dashboard.backup.backups import Restored, restore_backup
from dashboard.core.operations.storage import format_size
from dashboard.management.commanding import NetmodesCommand
from dashboard.management.serving import served_addresses


class Command(NetmodesCommand):
    """Restores a backup while Netmodes is stopped, either completely or not at all."""

    help = "Restores a backup into an empty data folder, or replaces the database there."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the argument for the file, and options to replace a database or only to check the backup."""
        parser.add_argument("file", metavar="FILE", help="a file that netmodes backup wrote")
        parser.add_argument(
            "--replace", action="store_true", help="replace an existing database and keep it beside the restored one"
        )
        parser.add_argument("--check", action="store_true", help="change nothing, only verify the file")
        parser.add_argument("--json", action="store_true", help="print what was done as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Restores or checks the backup. Exits with 0 on success, otherwise with 1 and the reason."""
        source = Path(options["file"]).absolute()
        if not options["check"] and (serving := served_addresses()):
            message = f"Netmodes is running at {', '.join(serving)}. Stop it first, then restore."
            raise CommandError(message)
        try:
            done = restore_backup(
                source, configuration.data_dir(), self.migrate, replace=options["replace"], only_check=options["check"]
            )
        except (BackupError, DatabaseError) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{error.filename or source}: {error.strerror or error}.") from None
        if options["json"]:
            self.print_json(done)
        else:
            self.stdout.write("\n".join(_describe(source, done)))


def _describe(source: Path, done: Restored) -> list[str]:
    made = f"made {done.manifest.made_at} by Netmodes {done.manifest.version}"
    if done.only_checked:
        return [f"{source} is intact: {format_size(done.manifest.size)}, {made}."]
    lines = [f"Restored the backup {made}."]
    if done.migrated:
        lines.append("Its database was older and has been migrated.")
    if done.aside:
        lines.append(f"The replaced database is kept as {done.aside}.")
    if done.key:
        lines.append("The secret key was restored: users stay signed in.")
    lines.append(f"Start it with {configuration.COMMAND} up.")
    return lines
