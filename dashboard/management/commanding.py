"""What the commands share: data folder and database ready, JSON alone on stdout, errors as sentences."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from dashboard import configuration
from dashboard.core.experiments.messages import encode
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.protocol import EngineError
from dashboard.store.operations import advisory_lock
from dashboard.store.reports.snapshot import NotSavedError

FAILED = 1
WRONG_USAGE = 2
#: How long a database of its own machine may take to come up beside this process.
WAIT_S = 60.0


class NetmodesCommand(BaseCommand):
    """A command of Netmodes. Exit 0 done, 1 the work failed, 2 wrong usage."""

    requires_system_checks: list[str] = []
    suppressed_base_arguments = {
        "--version",
        "--verbosity",
        "--settings",
        "--pythonpath",
        "--no-color",
        "--force-color",
    }

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """The parser, named as it is typed."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.prog = f"{configuration.COMMAND} {subcommand}"
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Runs; from the command line an error is its sentence and its exit code, nothing more."""
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            if not getattr(self, "_called_from_command_line", False) or options.get("traceback"):
                raise
            self.say(str(error))
            raise SystemExit(error.returncode) from None

    def say(self, text: str) -> None:
        """A message for the person: stderr, so that stdout stays one document."""
        self.stderr.write(text, style_func=str)

    def print_json(self, value: object) -> None:
        """One JSON document on stdout."""
        sys.stdout.write(encode(value).decode() + "\n")
        sys.stdout.flush()

    def migrate(self) -> None:
        """The database as this version needs it, made so by one process at a time; a file is nobody's but its
        owner's."""
        database = settings.DATABASES["default"]
        try:
            if database["ENGINE"] == "django.db.backends.sqlite3":
                configuration.keep_private(Path(database["NAME"]))
            advisory_lock.wait_for_database(WAIT_S, self.say)
            with advisory_lock.one_at_a_time(advisory_lock.MIGRATION), advisory_lock.without_timeout():
                call_command("migrate", verbosity=0, interactive=False)
        except (DatabaseError, OSError) as error:
            raise CommandError(f"The database cannot be used: {error}.", returncode=FAILED) from None

    def save(self, make: Callable[..., str], source: str, **said: Any) -> str | None:
        """Makes a report and says its number; None, with the reason said, where it cannot be made."""
        try:
            report = make(source, **said)
        except NotSavedError as error:
            self.say(f"No report was saved: {error}")
            return None
        export = f"{configuration.COMMAND} report export {report} --format html --output report.html"
        self.say(f"Saved as report {report}: {export}")
        return report

    def run[T](self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Runs to the end; an engine's refusal is a sentence and exit 1, Ctrl-C is exit 130."""
        try:
            return asyncio.run(work())
        except (EngineError, PrivateHostError) as error:
            raise CommandError(str(error), returncode=FAILED) from None
        except KeyboardInterrupt:
            self.say("Interrupted.")
            raise SystemExit(130) from None


def require_root(purpose: str) -> None:
    """CommandError with what to type if this is not root."""
    if os.geteuid() != 0:
        # sudo(8) looks in folders of its own, not in somebody's virtual environment.
        program = Path(sys.argv[0]).resolve() if configuration.INSTALLED else configuration.COMMAND
        command = " ".join(sys.argv[1:])
        raise CommandError(f"{purpose} needs root: type sudo {program} {command}", returncode=FAILED)
