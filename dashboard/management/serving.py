"""The running installation of a data folder: where it serves, and word to the service manager."""

from __future__ import annotations

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
from dashboard.lab.reconciler import LabBusyError, LabLock
from dashboard.models.access import make_token


def address_file() -> Path:
    """Holds the address while something serves; of each web process of the team shape, where several machines share
    a data folder."""
    return liveness.address_file(configuration.data_dir(), apart=configuration.value("NETMODES_ROLE") == Role.WEB)


def lab_is_here() -> bool:
    """Whether somebody drives Docker from this data folder."""
    lock = LabLock(configuration.data_dir())
    try:
        lock.acquire()
    except LabBusyError:
        return True
    lock.release()
    return False


@contextmanager
def announced(address: str) -> Iterator[None]:
    """While this process serves there: ``serving`` says so and is locked, with an engine or without. The kernel frees
    the lock when the process ends, however it ends. OSError if another holds it."""
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


def _held(path: Path) -> str | None:
    """What stands in the file, if somebody serves there."""
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
    """Where this data folder is served from already; None if by nobody, or by somebody who is not that far."""
    return _held(address_file())


def served_addresses() -> tuple[str, ...]:
    """All that serve from this data folder, whatever their role."""
    found = (_held(path) for path in sorted(configuration.data_dir().glob("serving*")))
    return tuple(address for address in found if address)


def public_address(address: str) -> str:
    """What people open: the first of ``NETMODES_TRUSTED_ORIGINS`` where a reverse proxy stands before ``address``."""
    return next(iter(settings.CSRF_TRUSTED_ORIGINS), address)


def address_to_open(host: str, port: int) -> str:
    """What a browser on this machine opens; one that listens everywhere does so on 127.0.0.1 too."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  read, not listened on
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def sign_in_line(address: str) -> str:
    """A fresh one-time link."""
    return f"Sign in (once): {address}/sign-in/?token={make_token()}"


def tell_service_manager(state: str) -> None:
    """``READY=1`` and the like for a unit of ``Type=notify`` (sd_notify(3)); nothing where there is no such unit."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify, suppress(OSError):
        notify.sendto(state.encode(), address)
