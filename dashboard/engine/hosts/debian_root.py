"""Creates root file systems of Debian releases, each with the Docker Engine of its release. Each is created once, by
mmdebstrap, and kept.

All functions block.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

#: The engine, what it executes, and what tests execute in its mount namespace.
PACKAGES = ("docker.io", "iproute2", "iptables", "nftables", "curl", "procps", "net-tools", "busybox-static")
#: The docker command, which shells on a host use: docker.io contains it in bookworm, and only recommends it since.
CLIENT = "docker-cli"
CONTAINS_CLIENT = frozenset({"bookworm"})
#: The file in a finished root that lists the packages it was made with.
MARK = "netmodes-packages"
TIMEOUT_S = 600


class DebianRootError(Exception):
    """A root file system cannot be created; ``str()`` tells why and what to do."""


def debian_root(suite: str, data_dir: Path, say: Callable[[str], None], more: tuple[str, ...] = ()) -> Path:
    """Returns the folder with a root file system of the Debian release ``suite``. It contains the Docker Engine of the
    release and the additional packages ``more``. If the folder is missing, calls ``say`` with a message and creates the
    folder, which takes about half a minute. Raises DebianRootError."""
    folder = data_dir.absolute() / "engines" / "-".join((suite, *more[:1]))
    packages = (*PACKAGES, *([] if suite in CONTAINS_CLIENT else [CLIENT]), *more)
    if _is_finished(folder, packages):
        return folder
    folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not _is_finished(folder, packages):
            _make(suite, folder, packages, say)
    return folder


def _is_finished(folder: Path, packages: tuple[str, ...]) -> bool:
    try:
        return (folder / MARK).read_text().split() == list(packages)
    except OSError:
        return False


def _make(suite: str, folder: Path, packages: tuple[str, ...], say: Callable[[str], None]) -> None:
    if os.geteuid() != 0:
        raise DebianRootError("Creating a root file system requires root: run Netmodes with sudo.")
    if shutil.which("mmdebstrap") is None:
        raise DebianRootError(
            f"A root of Debian {suite} cannot be created without mmdebstrap. Install it: apt-get install mmdebstrap."
        )
    say(f"Creating a root file system of Debian {suite} with its Docker Engine in {folder} (450 MB, about 30 seconds)")
    unfinished = folder.with_suffix(".new")
    for old in (unfinished, folder):
        shutil.rmtree(old, ignore_errors=True)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}"]
    # A mirror that is no longer updated still has valid packages.
    command += ['--aptopt=Acquire::Check-Valid-Until "false"', suite, str(unfinished)]
    log = folder.with_suffix(".log")
    try:
        with log.open("wb") as output:
            subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True, timeout=TIMEOUT_S
            )
    except subprocess.SubprocessError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        timeout = isinstance(error, subprocess.TimeoutExpired)
        problem = f"did not finish within {TIMEOUT_S} s" if timeout else "failed"
        raise DebianRootError(
            f"mmdebstrap {problem} for a root of Debian {suite}: check the network. {_last_lines(log)}"
        ) from None
    (unfinished / MARK).write_text("\n".join(packages))
    unfinished.rename(folder)


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()[-3:]
    return f"{log} ends with: {' / '.join(lines)}" if lines else f"{log} is empty."


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
