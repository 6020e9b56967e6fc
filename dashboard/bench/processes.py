"""Processes that a benchmark needs beside itself. None outlives it, however it ends."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

BASE = Path(__file__).resolve().parent.parent.parent
GRACE_S = 10.0


def tied(command: Sequence[str]) -> list[str]:
    """The command, so that it gets SIGTERM when the thread that starts it ends (setpriv(1), prctl(2))."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "TERM", "--", *command] if program else list(command)


@contextmanager
def running(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    stdin: int | IO[Any] | None = subprocess.DEVNULL,
    stdout: int | IO[Any] | None = subprocess.PIPE,
    stderr: int | IO[Any] | None = None,
    inherited: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """The command while the block runs; then SIGTERM, and SIGKILL after ``GRACE_S``. Use it in the main thread.
    ``inherited`` are descriptors that it gets under the same number."""
    process = subprocess.Popen(
        tied(command),
        cwd=BASE,
        env=None if environment is None else dict(environment),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        bufsize=0,
        pass_fds=inherited,
    )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and closes its pipes."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def run(*command: str, deadline_s: float = 30.0, inherited: Sequence[int] = ()) -> str:
    """What a command prints; RuntimeError with its stderr if it fails. Its pipes are the loop's."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=inherited,
    )
    try:
        out, error = await asyncio.wait_for(process.communicate(), deadline_s)
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {error.decode(errors='replace').strip()}")
    return out.decode(errors="replace")


def cpu_seconds(pid: int) -> float:
    """What all threads of a process, ended ones too, have used of the processors, to the nanosecond.

    The id of another process's CPU clock is made as clock_getcpuclockid(3) makes it (CPUCLOCK_SCHED in
    include/linux/posix-timers_types.h); /proc/PID/stat counts in ticks of 10 ms. ProcessLookupError if it ended.
    """
    try:
        return time.clock_gettime(ctypes.c_int(~pid << 3 | 2).value)
    except OSError as error:
        raise ProcessLookupError(f"no process {pid}") from error


def environment_with(**values: str) -> dict[str, str]:
    """This process's environment with other values; what would lead to the person's own data is left out."""
    left_out = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "NETMODES_")
    programs = {"NETMODES_NODE_MODULES"}
    kept = {key: value for key, value in os.environ.items() if key in programs or not key.startswith(left_out)}
    return kept | values
