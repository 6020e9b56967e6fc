"""The base class of all commands: database setup, JSON output, errors and exit codes."""

import codecs
import errno
import io
import json
import os
import select
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TextIO, TypeGuard

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from dashboard import __version__, configuration, interrupts
from dashboard.core.comparison.text_table import to_ascii
from dashboard.core.experiments.messages import encode
from dashboard.core.operations.backup_manifest import newer_database_problem
from dashboard.core.operations.database_problems import describe_database_error
from dashboard.core.operations.machines import version_problem
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.runtimes import VARIABLE, Runtime
from dashboard.engine.protocol import EngineError
from dashboard.launcher.machine import command_for_root
from dashboard.management.serving import served_addresses
from dashboard.store.installation import note_version, stored_version
from dashboard.store.operations import advisory_lock, machine_roles
from dashboard.store.operations.applied_migrations import applied_migrations, known_migrations
from dashboard.store.operations.storage import NoSpaceError
from dashboard.store.reports.snapshot import NotSavedError

#: Also the default of CommandError.
FAILED = 1
WRONG_USAGE = 2
#: How long a command waits for a database server that is starting.
DATABASE_TIMEOUT_S = 60.0


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return to_ascii(error.object[error.start : error.end]), error.end


codecs.register_error("netmodes.ascii", _replace_unencodable)


def _cannot_encode_all(stream: TextIO) -> TypeGuard[io.TextIOWrapper]:
    return isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8"


def _leave_closed_pipes() -> bool:
    """Redirects stdout and stderr to /dev/null if the program that reads them has ended, because Python writes the rest
    of their buffers when it exits. Returns False if neither is such a pipe."""
    poll = select.poll()
    for stream in (1, 2):
        poll.register(stream, 0)  # POLLERR, which pipe(7) has without a reader, is always reported
    closed = [stream for stream, events in poll.poll(0) if events & select.POLLERR]
    if closed:
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        for stream in closed:
            os.dup2(null, stream)
        os.close(null)
    return bool(closed)


class NetmodesCommand(BaseCommand):
    """The base class of a command. Exit codes: 0 success, 1 failure, 2 wrong usage, 128 plus N after signal N."""

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
        """Creates the parser of the command line. Its usage message names the command as the user types it."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.prog = f"{configuration.COMMAND} {subcommand}"
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Runs the command. If a signal ends it, only a sentence is printed. If an expected error ends it and the user
        typed the command, only the error's message is printed; nothing if the program that reads its output has ended.
        If code called the command, or with ``--traceback``, the error propagates."""
        interrupts.raise_interrupts()
        if options.get("privileged_hosts"):
            os.environ[VARIABLE] = Runtime.PRIVILEGED
        for stream in (sys.stdout, sys.stderr):
            if _cannot_encode_all(stream):
                stream.reconfigure(errors="netmodes.ascii")
        try:
            result = super().execute(*args, **options)
            self.stdout.flush()
        except interrupts.Interrupted as interrupted:
            interrupts.ignore()
            self.say(interrupts.SENTENCE)
            raise SystemExit(interrupted.exit_code) from None
        except (CommandError, NoSpaceError) as error:
            if not self._is_on_command_line(options):
                raise
            self.say(str(error))
            raise SystemExit(error.returncode if isinstance(error, CommandError) else FAILED) from None
        except BrokenPipeError:
            if not self._is_on_command_line(options) or not _leave_closed_pipes():
                raise
            raise SystemExit(128 + signal.SIGPIPE) from None
        except (DatabaseError, OSError) as error:
            full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
            if not self._is_on_command_line(options) or not (full or isinstance(error, DatabaseError)):
                raise
            self.say(describe_database_error(str(error)))
            raise SystemExit(FAILED) from None
        return result

    def _is_on_command_line(self, options: dict[str, Any]) -> bool:
        """Whether the user typed the command, and did not ask for tracebacks with ``--traceback``."""
        return getattr(self, "_called_from_command_line", False) and not options.get("traceback")

    def say(self, text: str) -> None:
        """Prints a message on stderr, because stdout contains only the command's document."""
        self.stderr.write(text, style_func=str)

    def print_json(self, value: object) -> None:
        """Prints a value as a JSON document on stdout. If stdout is not UTF-8, the document contains ASCII only."""
        document = encode(value).decode()
        if _cannot_encode_all(sys.stdout):
            document = json.dumps(json.loads(document))
        sys.stdout.write(document + "\n")
        sys.stdout.flush()

    def migrate(self) -> None:
        """Migrates the database; processes that share it wait meanwhile. Makes SQLite's file readable by its owner
        only. On a machine that has joined the installation of another machine, only checks the version. Raises
        CommandError if the database cannot be used, for example because a newer version has migrated it, or because a
        server of an earlier version uses SQLite's file."""
        database = settings.DATABASES["default"]
        if settings.MACHINE:
            self._require_migrated()
            return
        try:
            if database["ENGINE"] == "django.db.backends.sqlite3":
                configuration.keep_private(Path(database["NAME"]))
            advisory_lock.wait_for_database(DATABASE_TIMEOUT_S, self.say)
            with advisory_lock.migration_lock(self.say), advisory_lock.without_timeout():
                applied, known = applied_migrations(), known_migrations()
                if problem := newer_database_problem(applied, known, __version__):
                    raise CommandError(problem)
                # Django's command takes two seconds even if nothing is to do: it builds the models of all migrations.
                if not known.issubset(applied):
                    if applied:
                        self._require_no_server()
                    call_command("migrate", verbosity=0, interactive=False)
                machine_roles.update()
                note_version(__version__)
        except (DatabaseError, OSError) as error:
            raise CommandError(describe_database_error(str(error))) from None

    def require_current_server(self) -> None:
        """Raises CommandError if the running server is of an earlier version: its database lacks migrations."""
        if not known_migrations().issubset(applied_migrations()):
            self._require_no_server()

    def _require_no_server(self) -> None:
        """Raises CommandError if a server uses SQLite's file. The file lacks migrations, so the server is of an earlier
        version, which cannot write to the tables of this one."""
        if not advisory_lock.is_shared() and (serving := served_addresses()):
            raise CommandError(
                f"Netmodes is running at {', '.join(serving)} with an earlier version. Restart it first: it then "
                "migrates the database."
            )

    def _require_migrated(self) -> None:
        """Checks the database on a machine that has joined the installation, because such a machine may not migrate it.

        Raises CommandError if the database cannot be used, if it lacks migrations of this version, or if the server's
        version is not compatible with this one. A newer database is accepted, because a lab may be one minor version
        older than the server.
        """
        try:
            advisory_lock.wait_for_database(DATABASE_TIMEOUT_S, self.say)
            missing = set(known_migrations()) - set(applied_migrations())
            server = stored_version()
        except (DatabaseError, OSError) as error:
            raise CommandError(describe_database_error(str(error))) from None
        if missing:
            problem = f"The server's database is older than this lab ({__version__}). Update the server first."
            raise CommandError(problem)
        if server and (refusal := version_problem(server, __version__)):
            raise CommandError(refusal)

    def save(self, create: Callable[..., str], source: str, **details: Any) -> str | None:
        """Saves a report by calling ``create`` with ``source``, the id of the experiment or run, and ``details``.
        Prints and returns the report's id. If no report can be saved, prints the reason and returns None."""
        try:
            report = create(source, **details)
        except NotSavedError as error:
            self.say(f"No report was saved: {error}")
            return None
        export = f"{configuration.COMMAND} report export {report} --format html --output report.html"
        self.say(f"Saved as report {report}: {export}")
        return report

    def run[T](self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Runs a coroutine and returns its result. An error of an engine or a private host becomes a CommandError."""
        try:
            return interrupts.run(work)
        except (EngineError, PrivateHostError) as error:
            raise CommandError(str(error)) from None


def add_privileged_hosts(parser: ArgumentParser) -> None:
    """Adds the option ``--privileged-hosts``, for machines that do not permit user namespaces. ``NetmodesCommand``
    applies it to this process and to the processes that it starts."""
    parser.add_argument(
        "--privileged-hosts",
        action="store_true",
        help="root on private hosts is root on this machine; for machines that do not permit user namespaces",
    )


def require_root(purpose: str) -> None:
    """Raises CommandError unless this process runs as root. Its message begins with ``purpose`` and contains the
    line for root."""
    if os.geteuid() != 0:
        # sudo(8) searches its own PATH, without the virtual environment.
        program = str(Path(sys.argv[0]).resolve()) if configuration.INSTALLED else configuration.COMMAND
        line = command_for_root(program, *sys.argv[1:])
        raise CommandError(f"{purpose} requires root. Type:\n\n{line}")
