"""The web process of a lab that was started by root. It serves pages as an ordinary user.

The lab, as root, creates the listening sockets and the socket between the two processes, and gives the user of the web
process access to the database files. Then the lab starts the web process (``starter``) in a sandbox (``sandbox``), and
starts it again if it ends. The web process ends with the lab.
"""

import asyncio
import grp
import os
import pwd
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from dashboard import configuration
from dashboard.core.operations import web_user
from dashboard.core.operations.database_problems import describe_database_error
from dashboard.core.operations.web_user import WebUser
from dashboard.lab.remote.link_server import LinkServer
from dashboard.management.descriptors import raise_descriptor_limit
from dashboard.management.pages import page_server
from dashboard.management.pages.output_relay import OutputRelay
from dashboard.management.pages.sandbox import RefusedError, confine
from dashboard.management.pages.starter import ForkRefusedError, Starter, StarterError
from dashboard.management.pages.visible_files import DatabaseFiles, certificate_variables, web_sandbox

#: The exit status of a process that could not be confined; the reason is on standard error.
REFUSED = 71
#: How long the process may take to close its connections.
STOP_S = 8.0
#: Seconds until the process is started again; doubled after each failed start.
FIRST_PAUSE_S, MAX_PAUSE_S = 0.2, 10.0
#: The variables that name proxies for sign-ins with OpenID Connect, in lower case (``requests`` also reads upper case).
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
#: The beginnings of the names of variables that are passed to the process. None of these variables names an engine.
PASSED = ("NETMODES_", "LC_", "PYTHON")
PASSED_NAMES = frozenset(
    {"LANG", "LANGUAGE", "TZ", "PATH", "DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    | {spelling(name) for name in PROXIES for spelling in (str.upper, str.lower)}
)


class WebProcessError(Exception):
    """The web process cannot be started. ``str()`` is the reason. If the process itself has printed the reason,
    ``str()`` contains only its exit status."""


class ResourcesExhaustedError(WebProcessError):
    """The web process cannot be started at present, because the machine lacks memory, processes or file descriptors."""


def is_apart() -> bool:
    """Whether a separate process serves the pages. That is the case if root starts Netmodes with SQLite."""
    database = settings.DATABASES["default"]["ENGINE"]
    return database == "django.db.backends.sqlite3" and os.geteuid() == 0


def find_user(folder: Path) -> WebUser:
    """Chooses the user as which the web process runs, from the owner of the data folder and the accounts of this
    machine. Raises LookupError if no user id is free."""
    found = folder.stat()
    accounts = pwd.getpwall()
    # The folder's group is arbitrary: an owner that has an account gets the account's group.
    group = next((entry.pw_gid for entry in accounts if entry.pw_uid == found.st_uid), found.st_gid)
    named = (WebUser(entry.pw_uid, entry.pw_gid) for entry in accounts if entry.pw_name == web_user.ACCOUNT)
    taken = {entry.pw_uid for entry in accounts} | {entry.gr_gid for entry in grp.getgrall()}
    return web_user.choose_web_user(WebUser(found.st_uid, group), next(named, None), taken)


def environment() -> dict[str, str]:
    """The environment variables for the web process. Secrets that are stored in files are read here, because the web
    process cannot read these files."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(PASSED) or name in PASSED_NAMES or name.removesuffix("_FILE") in PASSED_NAMES
    }
    for name in [name for name in passed if name.endswith("_FILE")]:
        passed[name.removesuffix("_FILE")] = configuration.value(name.removesuffix("_FILE"))
        del passed[name]
    passed |= certificate_variables(os.environ)
    passed["NETMODES_SECRET_KEY"] = settings.SECRET_KEY
    passed["NETMODES_DATA_DIR"] = str(configuration.data_dir())
    return passed


def serve_confined(user: WebUser, sockets: list[socket.socket]) -> int:
    """Puts this process into the sandbox of the web process and serves pages in it. ``sockets`` are the socket to the
    lab and the listening sockets. Returns the exit status."""
    link, *listening = sockets
    variables = environment()
    try:
        confine(web_sandbox(user), variables)
    except RefusedError as error:
        sys.stderr.write(f"Cannot run the web side as an ordinary user: {error}\n")
        return REFUSED
    page_server.serve(listening, link)
    return 0


class WebProcess:
    """Starts, supervises and ends the web process. The methods are called in the lab's process."""

    def __init__(self, listening: Sequence[socket.socket], user: WebUser, say: Callable[[str], None]) -> None:
        """Forks the starter of the web process. ``say`` prints a line. Raises StarterError."""
        self._listening = listening
        self._user = user
        self._say = say
        raise_descriptor_limit()
        self._output = OutputRelay(say)
        self._starter = Starter(lambda sockets: serve_confined(user, sockets), self._output.writing)
        self._output.close_writing()
        self._database: DatabaseFiles | None = None
        self._link: socket.socket | None = None
        self._ended: asyncio.Task[int] | None = None
        self._is_ready = self._is_stopping = False

    def start(self) -> None:
        """Starts the web process. An earlier web process must have ended, and the database must be migrated. Requires a
        running event loop. Raises WebProcessError."""
        try:
            if self._database is None:
                self._database = DatabaseFiles(self._user)
        except (sqlite3.Error, OSError) as error:
            raise WebProcessError(describe_database_error(str(error))) from error
        self._is_ready = False
        self._output.start()
        try:
            own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError as error:
            raise ResourcesExhaustedError(f"The web process cannot be started: {error.strerror}.") from error
        own.setblocking(False)
        with theirs:
            try:
                self._starter.start([theirs, *self._listening])
            except StarterError as error:
                own.close()
                problem = ResourcesExhaustedError if isinstance(error, ForkRefusedError) else WebProcessError
                raise problem(str(error)) from error
        self._link = own
        self._ended = asyncio.get_running_loop().create_task(self._starter.wait(), name="web-process")

    async def run(self, server: LinkServer, on_ready: Callable[[], None]) -> None:
        """Lets ``server`` handle the calls of the web process, and starts the process again whenever it ends, until
        ``stop``.

        ``on_ready`` is called each time the process begins to serve pages. Raises WebProcessError if the process ends
        before it has ever served pages, or if it cannot be started again. A lack of memory or processes is not an
        error: the start is repeated.
        """
        pause_s, was_ready = FIRST_PAUSE_S, False

        def note_ready() -> None:
            nonlocal pause_s, was_ready
            pause_s = FIRST_PAUSE_S
            self._is_ready = was_ready = True
            on_ready()

        while self._link is not None:
            await server.serve(self._link, note_ready)
            status = await self._end()
            if self._is_stopping:
                return
            if not was_ready:
                raise WebProcessError(f"The web process ended with status {status} before it served pages.")
            self._say(f"The web process ended with status {status}: starting it again.")
            is_started = False
            while not is_started:
                await asyncio.sleep(pause_s)
                if self._is_stopping:
                    return
                pause_s = min(2 * pause_s, MAX_PAUSE_S)
                try:
                    self.start()
                    is_started = True
                except ResourcesExhaustedError as error:
                    self._say(f"{error} Trying again in {pause_s:.1f} seconds.")

    async def _end(self) -> int:
        """Waits for the web process to end, and kills it after ``STOP_S``. Returns its exit status."""
        if self._ended is None:
            return 0
        await asyncio.wait([self._ended], timeout=STOP_S)
        self._starter.send_signal(signal.SIGKILL)
        try:
            return await asyncio.shield(self._ended)
        except StarterError as error:
            if self._is_stopping:
                return 0  # the starter was ended, and with it the process
            raise WebProcessError(str(error)) from error
        finally:
            self._output.flush()

    async def stop(self) -> None:
        """Closes the listening sockets and ends the web process. If it already serves pages, it has time to close its
        connections."""
        self._is_stopping = True
        for listening in self._listening:
            listening.close()
        # The first process of a PID namespace ignores signals until it handles them.
        self._starter.send_signal(signal.SIGTERM if self._is_ready else signal.SIGKILL)
        await self._end()
        self._output.stop()

    def close(self) -> None:
        """Kills the web process if it still runs, and closes the connection to the database."""
        self._starter.close()
        self._output.close()
        if self._link is not None:
            with suppress(OSError):
                self._link.close()
        if self._database is not None:
            self._database.close()
