"""The disk of a private host: a sparse file with a file system of limited size, which only the host mounts.

If this machine refuses loop devices (``probe``), hosts write into their folder, without a limit. All functions block.
Sources: mkfs.ext4(8), e2fsck(8), loop(4), mount(8).

The file system has no journal. When a host is killed, the kernel unmounts its disk cleanly; after a crash of the
machine, ``check`` repairs it. The last writes before a crash may be lost; a journal would not save them either.
"""

from __future__ import annotations

import errno
import functools
import logging
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from dashboard import configuration
from dashboard.engine.hosts.runtimes import SEARCH_PATH

log = logging.getLogger(__name__)
#: The name of the file in the folder of a host.
NAME = "disk"
VARIABLE = "NETMODES_HOST_DISK_MB"
DEFAULT_MB, MIN_MB = 4096, 256
#: Without a journal and without zeroing inode tables the file of an empty disk has less than 1 MB.
MAKE = (
    "mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard"
)  # fmt: skip
#: Repairs what can be repaired without questions. Forced: a file system that was unmounted cleanly may be damaged, too.
CHECK = ("e2fsck", "-p", "-f")
#: Bits of its exit status: it has corrected errors, and the machine should be restarted, which a mounted disk requires.
CORRECTED = 1 | 2
#: It left errors uncorrected. The other bits say that the check itself failed, for example without memory.
UNCORRECTED = 4
#: The check reads the tables of the whole disk, which may be large; a repair must not end in the middle.
CHECK_S = 600.0
#: The start of a host mounts in the same way (``user_namespace.boot``).
MOUNT = ("mount", "-t", "ext4", "-o", "loop,noinit_itable")
BLOCK = Path("/sys/block")
TIMEOUT_S = 60.0
DETACH_S = 10.0


class DiskError(OSError):
    """A program failed to create, check or mount a disk. ``status`` is its exit status, 0 if it could not be
    started."""

    status = 0


class DamagedDiskError(DiskError):
    """A disk is damaged and cannot be repaired."""


def size_mb() -> int:
    """Returns the size of each host's disk in MB (NETMODES_HOST_DISK_MB); 0 means no limit. Raises ConfigurationError
    if the setting is not valid."""
    text = configuration.value(VARIABLE) or str(DEFAULT_MB)
    if not text.isascii() or not text.isdigit() or 0 < int(text) < MIN_MB:
        raise configuration.ConfigurationError(
            f"{VARIABLE} is {text}: use a number of MB, at least {MIN_MB}, or 0 for no limit."
        )
    return int(text)


def refusal(folder: Path) -> str:
    """Returns the reason why the disks of hosts below this folder have no limit; empty if they have one. They have no
    limit if NETMODES_HOST_DISK_MB is 0 or invalid, or if ``probe`` returns a reason or fails."""
    try:
        return probe(folder) if size_mb() else f"{VARIABLE} is 0"
    except (OSError, ValueError) as error:
        return str(error)


def probe(folder: Path) -> str:
    """Returns the reason why this machine does not permit disks below this folder; empty if disks are permitted. Raises
    OSError if that cannot be determined, because the folder is full or a program does not end."""
    try:
        _probe(folder)
    except DiskError as error:
        return str(error)
    return ""


@functools.cache
def _probe(folder: Path) -> None:
    """Creates and mounts a small disk below the folder. Raises DiskError if that fails. Only a success is cached."""
    with tempfile.TemporaryDirectory(prefix=".probe.", dir=folder) as place:
        data, image = Path(place, "data"), Path(place, "disk")
        data.mkdir()
        make(data, image, 8)
        on_disk(image, data, lambda: None)


def _run(*command: str, accepted: int = 0, timeout_s: float | None = None) -> None:
    """Runs a program. ``accepted`` are the bits of its exit status that do not mean an error. Raises DiskError if the
    program fails, TimeoutError if it does not end within ``timeout_s`` (default: TIMEOUT_S)."""
    timeout_s = TIMEOUT_S if timeout_s is None else timeout_s
    environment = {"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=timeout_s, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{command[0]} did not end within {timeout_s:g} s") from error
    except FileNotFoundError as error:
        raise DiskError(f"{command[0]} is not installed") from error
    except OSError as error:
        raise DiskError(str(error)) from error
    if done.returncode < 0 or done.returncode & ~accepted:
        # The message of mount(8) without "mount: FOLDER: ".
        lines = [line.rpartition("/data: ")[2] for line in (done.stderr or done.stdout).strip().splitlines()]
        failure = DiskError(lines[0][:200] if lines else f"{command[0]} ended with {done.returncode}")
        failure.status = done.returncode
        raise failure


def make(data: Path, image: Path, megabytes: int) -> None:
    """Creates the disk ``image`` with the content of the folder ``data``, and empties the folder. Raises OSError."""
    with image.open("xb") as file:
        image.chmod(0o600)
        file.truncate(megabytes << 20)
    _run(*MAKE, "-d", str(data), str(image))
    shutil.rmtree(data)
    data.mkdir(mode=0o711)


def copy(source: Path, target: Path) -> None:
    """Copies a disk that is not mounted. The copy is as sparse as the source. Raises OSError."""
    with source.open("rb") as old, target.open("xb") as new:
        target.chmod(0o600)
        size = new.truncate(os.fstat(old.fileno()).st_size)
        end = 0
        while end < size:
            try:
                start = os.lseek(old.fileno(), end, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:  # only a hole follows (lseek(2))
                    raise
                return
            end = os.lseek(old.fileno(), start, os.SEEK_HOLE)
            while start < end:
                start += os.copy_file_range(old.fileno(), new.fileno(), end - start, start, start)


def check(image: Path) -> None:
    """Checks the disk ``image``, which must not be mounted, and repairs damage from a crash of the machine. Does
    nothing if there is no disk. Raises DamagedDiskError if the disk cannot be repaired, OSError if the check itself
    fails."""
    if not image.exists():
        return
    try:
        _run(*CHECK, str(image), accepted=CORRECTED, timeout_s=CHECK_S)
    except DiskError as error:
        if error.status != UNCORRECTED:
            raise
        log.warning("%s cannot be repaired: %s", image, error)
        raise DamagedDiskError("its disk is damaged and cannot be repaired. Create a new host instead.") from error


def on_disk[T](image: Path, data: Path, work: Callable[[], T]) -> T:
    """Calls ``work`` while the disk ``image`` is mounted at ``data``, and returns the result of ``work``.

    The host must not be running. ``work`` is called in a new thread, and only this thread sees the mount. If the file
    ``image`` does not exist, ``data`` is a plain folder, and ``work`` is called directly. Raises DiskError if the disk
    cannot be mounted.
    """
    if not image.exists():
        return work()
    wait_until_detached(image)
    check(image)
    result: Future[T] = Future()

    def run() -> None:
        try:
            os.unshare(os.CLONE_NEWNS)  # of this thread alone; its programs inherit it
            _run("mount", "--make-rprivate", "/")
            _run(*MOUNT, str(image), str(data))
            try:
                answer = work()
            finally:
                _run("umount", str(data))
            result.set_result(answer)
        except BaseException as error:  # noqa: BLE001 - raised in the caller
            result.set_exception(error)

    thread = threading.Thread(target=run, name="disk")
    thread.start()
    thread.join()
    wait_until_detached(image)
    return result.result()


def wait_until_detached(image: Path) -> None:
    """Waits until the kernel has released the loop device of the disk, which happens soon after the last mount is gone.
    Waits at most DETACH_S."""
    end = time.monotonic() + DETACH_S
    while is_attached(image) and time.monotonic() < end:
        time.sleep(0.01)


def is_attached(image: Path) -> bool:
    """Returns whether a loop device uses the file ``image``."""
    return any(_backing(file) == str(image) for file in BLOCK.glob("loop*/loop/backing_file"))


def _backing(file: Path) -> str:
    """Returns the path of the file that a loop device uses; empty if it uses none now. ``file`` is the device's
    ``backing_file`` in /sys."""
    try:
        return file.read_text(errors="replace").rstrip("\n")
    except OSError:
        return ""
