"""A PostgreSQL and a Redis of the distribution's packages, run by an ordinary user in a folder of their own.

As a program (``python -m dashboard.bench.operations.postgres_redis COMMAND…``) it runs a command with DATABASE_URL and REDIS_URL set to
them, and ends with its exit code.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dashboard.bench.processes import end

NOBODY = 65534
READY_S = 30.0
STEP_S = 0.05
#: What a test or a benchmark needs: nothing of it has to outlive the power.
FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB", "max_connections": "120"}


class ServiceError(Exception):
    """A program is missing or does not start; ``str()`` is a sentence."""


def as_nobody(command: Sequence[str]) -> list[str]:
    """The command without root's rights; as it is where this is not root."""
    if os.geteuid() != 0:
        return list(command)
    # The signal comes after the change of user, which would forget it (prctl(2)).
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--pdeathsig", "TERM"]
    return ["setpriv", *user, "--", *command]


def program(name: str, package: str) -> str:
    """Where it is: Debian keeps PostgreSQL's own programs off PATH. ServiceError with what to type."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*"), key=lambda one: one.name.zfill(8), reverse=True)
    for place in (*(one / "bin" for one in versions), *map(Path, os.environ.get("PATH", os.defpath).split(os.pathsep))):
        if (place / name).exists():
            return str(place / name)
    raise ServiceError(f"{name} is not here: apt-get install {package}")


def free_port() -> int:
    """A port of 127.0.0.1 that was free just now."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


class Service:
    """One server on a port that it keeps over restarts. ``log`` is what it writes."""

    def __init__(self, folder: Path, name: str) -> None:
        self.port = free_port()
        self.folder = folder / name
        self.folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What runs it."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether it answers."""
        return _answers(self.port)

    def start(self) -> None:
        """Starts it and waits until it answers. ServiceError with its last words if it ends instead."""
        with self.log.open("ab") as log:
            self._process = self._spawn(log)
        until = time.monotonic() + READY_S
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                raise ServiceError(f"{self.folder.name} did not start: {self.log.read_text()[-800:]}")
            time.sleep(STEP_S)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(as_nobody(self.command()), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self) -> None:
        """Ends it, as an administrator would."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(self.stop_signal)
            with suppress(subprocess.TimeoutExpired):
                process.wait(READY_S)
            end(process)

    stop_signal = signal.SIGTERM


class Postgres(Service):
    """PostgreSQL, with an empty database ``netmodes``."""

    #: Without waiting for who is connected (pg_ctl(1), ``fast``).
    stop_signal = signal.SIGINT

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "postgres")
        self.url = f"postgres://netmodes@127.0.0.1:{self.port}/netmodes"
        made = as_nobody(
            [program("initdb", "postgresql"), "-D", str(self.folder / "data"), "-U", "netmodes", "-A", "trust",
             "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        )  # fmt: skip
        done = subprocess.run(made, cwd="/", capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServiceError(f"initdb failed: {done.stderr.strip()[-800:]}")
        self.start()
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "netmodes", "netmodes")

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run([program(name, "postgresql"), *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServiceError(f"{name} failed: {done.stderr.strip()}")

    def command(self) -> list[str]:
        """On 127.0.0.1 and in its folder alone."""
        settings = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": "", **FAST}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [program("postgres", "postgresql"), "-D", str(self.folder / "data"), *flags]

    def is_ready(self) -> bool:
        """Whether it takes connections, not only opens them."""
        asked = [program("pg_isready", "postgresql"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0


class Redis(Service):
    """Redis that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "redis")
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def command(self) -> list[str]:
        """On 127.0.0.1 alone."""
        return [program("redis-server", "redis-server"), "--port", str(self.port), "--bind", "127.0.0.1",
                "--save", "", "--appendonly", "no", "--dir", str(self.folder)]  # fmt: skip


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that ordinary users can enter, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="netmodes-team-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def services(folder: Path) -> Iterator[tuple[Postgres, Redis]]:
    """Both, while the block runs."""
    postgres = Postgres(folder)
    try:
        redis = Redis(folder)
        try:
            yield postgres, redis
        finally:
            redis.stop()
    finally:
        postgres.stop()


def main() -> int:
    """Runs the command."""
    with open_folder() as folder:
        try:
            with services(folder) as (postgres, redis):
                urls = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
                return subprocess.run(sys.argv[1:], env={**os.environ, **urls}, check=False).returncode
        except ServiceError as error:
            sys.stderr.write(f"{error}\n")
            return 1


if __name__ == "__main__":
    sys.exit(main())
