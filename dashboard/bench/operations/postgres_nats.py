"""Runs PostgreSQL and NATS from the distribution's packages, as an ordinary user and in a temporary folder.

As a program (``python -m dashboard.bench.operations.postgres_nats COMMAND…``) it runs a command with DATABASE_URL set
to a new PostgreSQL server, and exits with the command's exit code.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.processes import end, find_program
from dashboard.bench.server import free_port
from dashboard.nats_issuer import public_name

NATS_CONF = Path(__file__).parents[2] / "packaging/containers/nats.conf"
NOBODY = 65534
LOOPBACK = "127.0.0.1"
READY_S = 60.0
STOP_S = 40.0
POLL_S = 0.05
FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB", "max_connections": "120"}


def as_nobody(command: Sequence[str]) -> list[str]:
    """The command line that runs a command as the user ``nobody``. If this process is not root, returns ``command``
    unchanged."""
    if os.geteuid() != 0:
        return list(command)
    # The signal is set after the change of user, which would clear it (prctl(2)).
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--pdeathsig", "TERM"]
    return ["setpriv", *user, "--", *command]


def make_folder(path: Path) -> None:
    """Creates a folder. If this process is root, the folder belongs to ``nobody``, the user of these services."""
    path.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


def postgres_program(name: str) -> str:
    """The path of a program of PostgreSQL, in its newest installed version. Debian does not put these programs on PATH.
    Raises BenchmarkError if the program is not installed."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*"), key=lambda folder: folder.name.zfill(8), reverse=True)
    return _installed("postgresql", *(str(version / "bin" / name) for version in versions), name)


def _installed(package: str, *names: str) -> str:
    path = find_program(*names)
    if path is None:
        raise BenchmarkError(f"{names[-1]} is not installed: apt-get install {package}")
    return path


def _run_as_nobody(name: str, *arguments: str) -> None:
    command = as_nobody([postgres_program(name), *arguments])
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{name} failed: {done.stderr.strip()[-800:]}")


class Service:
    """A process that can be stopped and started again. As a context manager, it is stopped at the end of the ``with``
    statement. The output of the process is stored in a file in ``folder``. ``is_ready`` returns whether the process
    works."""

    def __init__(
        self,
        name: str,
        folder: Path,
        command: Sequence[str],
        is_ready: Callable[[], bool],
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        environment: dict[str, str] | None = None,
        cwd: Path = Path("/"),
    ) -> None:
        self.name = name
        self.is_ready = is_ready
        self._log = folder / f"{name}.log"
        self._command = list(command)
        self._stop_signal = stop_signal
        self._environment = environment
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The pid of the process. Raises BenchmarkError if it was not started."""
        if self._process is None:
            raise BenchmarkError(f"{self.name} is not running")
        return self._process.pid

    def output(self) -> str:
        """The output of the process since it was last started, including stderr."""
        return self._log.read_text()

    def start(self) -> None:
        """Starts the process and waits until it is ready. Raises BenchmarkError, with the output of the process, if the
        process ends instead or takes longer than ``READY_S``."""
        self.launch()
        while not self.is_started():
            time.sleep(POLL_S)

    def launch(self) -> None:
        """Starts the process without waiting until it is ready."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._cwd, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._deadline = time.monotonic() + READY_S

    def is_started(self) -> bool:
        """Whether the launched process is ready. Raises BenchmarkError, with the output of the process, if the process
        has ended instead or takes longer than ``READY_S``."""
        if self.is_ready():
            return True
        if self._process is None or self._process.poll() is not None or time.monotonic() > self._deadline:
            raise BenchmarkError(f"{self.name} did not start: {self.output()[-2000:]}")
        return False

    def kill(self) -> None:
        """Ends the process with SIGKILL."""
        if self._process is not None:
            end(self._process, signal.SIGKILL)

    def stop(self) -> None:
        """Ends the process with its stop signal, as an administrator would. May be called repeatedly."""
        process, self._process = self._process, None
        if process is not None:
            end(process, self._stop_signal, STOP_S)


class Postgres(Service):
    """A running PostgreSQL server with an empty database ``netmodes``. It listens on 127.0.0.1 and on ``address``."""

    def __init__(self, folder: Path, address: str = LOOPBACK) -> None:
        data = folder / "postgres"
        make_folder(data)
        initdb = ["initdb", "-D", str(data), "-U", "netmodes", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        _run_as_nobody(*initdb, "--no-sync")
        # Machines that have joined need their passwords.
        trusted = "".join(f"host all netmodes {one}/32 trust\n" for one in {LOOPBACK: None, address: None})
        (data / "pg_hba.conf").write_text(f"{trusted}host all all all scram-sha-256\n")
        port = str(free_port())  # chosen as late as possible: another program could get it before the server listens
        listen = ",".join({LOOPBACK: None, address: None})
        settings = {"listen_addresses": listen, "port": port, "unix_socket_directories": "", **FAST}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        asked = [postgres_program("pg_isready"), "-q", "-h", LOOPBACK, "-p", port]
        super().__init__(
            "postgres",
            folder,
            as_nobody([postgres_program("postgres"), "-D", str(data), *flags]),
            lambda: subprocess.run(asked, check=False).returncode == 0,
            stop_signal=signal.SIGINT,  # without waiting for clients (pg_ctl(1), ``fast``)
        )
        self._port, self._address = port, address
        self.start()
        self.url = self.create_database("netmodes")

    def create_database(self, name: str) -> str:
        """Creates an empty database and returns its URL."""
        _run_as_nobody("createdb", "-h", LOOPBACK, "-p", self._port, "-U", "netmodes", name)
        return f"postgres://netmodes@{self._address}:{self._port}/{name}"


class Nats(Service):
    """A running NATS server with the users and permissions of ``compose.yaml``. It accepts machines that web processes
    with ``secret_key`` have admitted. If ``address`` is 127.0.0.1, it listens only there, otherwise on all
    addresses."""

    def __init__(self, folder: Path, secret_key: str | None = None, address: str = LOOPBACK) -> None:
        port = free_port()
        data = folder / "nats"
        make_folder(data)
        passwords = {"WEB_PASSWORD": secrets.token_hex(16), "LAB_PASSWORD": secrets.token_hex(16)}
        shutil.copy(NATS_CONF, data)
        values = {**passwords, "ISSUER": public_name(secret_key or "")}
        (data / "local.conf").write_text("".join(f'{name}: "{value}"\n' for name, value in values.items()))
        command = [_installed("nats-server", "nats-server"), "--config", str(data / NATS_CONF.name)]
        listen = LOOPBACK if address == LOOPBACK else "0.0.0.0"  # noqa: S104 - in a network namespace of its own
        command += ["--addr", listen, "--port", str(port)]
        super().__init__("nats", folder, as_nobody(command), lambda: _accepts(port))
        self.web_url = f"nats://web:{passwords['WEB_PASSWORD']}@{address}:{port}"
        self.lab_url = f"nats://lab:{passwords['LAB_PASSWORD']}@{address}:{port}"
        self.start()


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Context manager that creates a folder which ordinary users can enter, and removes it."""
    folder = Path(tempfile.mkdtemp(prefix="netmodes-team-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Executes the command in the program's arguments. Returns the command's exit code, or 1 if PostgreSQL cannot be
    started."""
    try:
        with temporary_folder() as folder, Postgres(folder) as postgres:
            environment = {**os.environ, "DATABASE_URL": postgres.url}
            return subprocess.run(sys.argv[1:], env=environment, check=False).returncode
    except BenchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
