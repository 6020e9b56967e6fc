"""The address of the running server of a data folder, sign-in links, and notifications for the service manager."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from dashboard import configuration
from dashboard.core.operations.deployment import Role
from dashboard.lab import liveness
from dashboard.lab.lab_lock import LabBusyError, LabLock
from dashboard.store.operations.accounts import make_token
from dashboard.store.operations.audit import audited


def address_file() -> Path:
    """The path of the file with the address of the running server. In a team deployment, where several machines share a
    data folder, each web process has its own file."""
    return liveness.address_file(configuration.data_dir(), apart=configuration.value("NETMODES_ROLE") == Role.WEB)


def is_lab_running() -> bool:
    """Whether a lab of this data folder runs."""
    lock = LabLock(configuration.data_dir())
    try:
        lock.acquire()
    except LabBusyError:
        return True
    lock.release()
    return False


@contextmanager
def announced(address: str) -> Iterator[None]:
    """Context manager that writes the address of this server into a locked file. The kernel releases the lock when the
    process ends. Raises OSError if another process holds the lock."""
    path = address_file()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, address.encode())
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _read_if_locked(path: Path) -> str | None:
    """The address in the file, if its server holds the lock and so still runs; otherwise None."""
    try:
        with path.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read()
    except OSError:
        return None
    return None


def served_address() -> str | None:
    """The address of the running server of this data folder; None if no server runs, or it is still starting."""
    return _read_if_locked(address_file())


def linked_address() -> str | None:
    """The address for sign-in links: that of the server with a lab, otherwise that of this machine's web process;
    None if neither runs. The command that prints a link may run without the server's ``NETMODES_ROLE``."""
    folder = configuration.data_dir()
    addresses = (_read_if_locked(liveness.address_file(folder, apart=apart)) for apart in (False, True))
    return next(filter(None, addresses), None)


def served_addresses() -> tuple[str, ...]:
    """The addresses of all running servers of this data folder."""
    addresses = (_read_if_locked(path) for path in sorted(configuration.data_dir().glob("serving*")))
    return tuple(filter(None, addresses))


def public_address(address: str) -> str:
    """The address for users. Behind a reverse proxy it is the first one in ``NETMODES_TRUSTED_ORIGINS``, otherwise
    ``address``."""
    return next(iter(settings.CSRF_TRUSTED_ORIGINS), address)


def address_to_open(host: str, port: int) -> str:
    """The URL for a browser on this machine. It names the loopback address if the server listens on all addresses."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


@audited
def sign_in_line(address: str) -> str:
    """Creates a one-time sign-in link for the owner, and returns a line that contains it."""
    return f"Sign in (once): {address}/sign-in/?token={make_token()}"


def notify_service_manager(state: str) -> None:
    """Sends ``state``, such as ``READY=1``, to the service manager (sd_notify(3)). Does nothing if this process is not
    a unit of ``Type=notify``."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify, suppress(OSError):
        notify.sendto(state.encode(), address)
