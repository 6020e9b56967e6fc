"""``./netmodes backup``: writes a backup while Netmodes runs."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from dashboard import configuration
from dashboard.backup.archive import BackupError
from dashboard.backup.backups import make_backup
from dashboard.core.operations.storage import format_size
from dashboard.management.commanding import NetmodesCommand


class Command(NetmodesCommand):
    """Backs up the database and, with ``--with-key``, the secret key. Images, containers and private hosts are not
    included."""

    help = "Writes a backup of the database into one file, while Netmodes runs."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the file and the option to include the secret key."""
        parser.add_argument("file", metavar="FILE", help="a new file, for example netmodes.backup")
        parser.add_argument(
            "--with-key", action="store_true", help="include the secret key, so that users stay signed in"
        )
        parser.add_argument("--json", action="store_true", help="print backup/1")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Writes the backup. Exits with 0 if the file is complete, otherwise with 1 and the reason."""
        target = Path(options["file"]).absolute()
        try:
            manifest = make_backup(target, configuration.data_dir(), with_key=options["with_key"])
            size = target.stat().st_size
        except (BackupError, DatabaseError) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"Cannot write {target}: {error.strerror or error}.") from None
        if options["json"]:
            self.print_json(manifest)
        else:
            self.stdout.write(f"{target}: {format_size(size)}, with everything committed before the backup started.")
