"""``./netmodes backup``: one file with everything that is kept, made while Netmodes works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from dashboard import configuration
from dashboard.backup.archive import BackupError
from dashboard.backup.keeping import make_backup
from dashboard.core.operations.backup_manifest import say_size
from dashboard.management.commanding import FAILED, NetmodesCommand


class Command(NetmodesCommand):
    """The database, and with ``--with-key`` the secret key; no images, no containers, no private hosts."""

    help = "Writes everything that is kept into one file, while Netmodes works."

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, and whether the key goes along."""
        parser.add_argument("file", metavar="FILE", help="a file that is not there yet, e.g. netmodes.backup")
        parser.add_argument("--with-key", action="store_true", help="with the secret key: sessions stay signed in")
        parser.add_argument("--json", action="store_true", help="print backup/1")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Exit 0 once the file is complete, 1 with the reason."""
        target = Path(options["file"]).absolute()
        try:
            manifest = make_backup(target, configuration.data_dir(), with_key=options["with_key"])
            size = target.stat().st_size
        except (BackupError, DatabaseError) as error:
            raise CommandError(str(error), returncode=FAILED) from None
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error.strerror or error}.", returncode=FAILED) from None
        if options["json"]:
            self.print_json(manifest)
        else:
            self.stdout.write(f"{target}: {say_size(size)}, with everything that was acknowledged before it began.")
