"""A lock on a data folder, so that only one lab at a time drives its experiments."""

import fcntl
import os
from pathlib import Path


class LabBusyError(Exception):
    """Another process already drives the experiments of this data folder or of this machine."""


class LabLock:
    """A file lock on a data folder, which a lab holds while it runs. The kernel releases the lock when the process
    ends."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "lab.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Acquires the lock without waiting. Raises LabBusyError if another process holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise LabBusyError(
                f"Another Netmodes process uses {self._path.parent}: use it, stop it, "
                "or set NETMODES_DATA_DIR to another folder."
            ) from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Releases the lock, if this object holds it. Closing the file is not enough: a child process has a copy of it
        between its fork and its exec, and the lock lasts until the last copy is closed."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None
