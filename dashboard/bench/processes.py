"""Child processes of a benchmark. They end when the benchmark ends, however that happens."""

import asyncio
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from dashboard.bench.benchmark import BenchmarkError

BASE = Path(__file__).resolve().parents[2]
GRACE_S = 10.0
ANSWER_S = 160.0
MAX_LINE_BYTES = 1 << 26
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
#: Chromium without a user interface, which ``./netmodes test`` installs.
HEADLESS = "chromium-headless-shell"


def with_death_signal(command: Sequence[str]) -> list[str]:
    """Returns a command line that runs ``command``. Its process gets SIGTERM when the thread that started it ends
    (setpriv(1), prctl(2)). If setpriv is not installed, returns ``command`` unchanged."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "TERM", "--", *command] if program else list(command)


def find_program(*names: str) -> str | None:
    """The path of the first of these programs that is installed; None if none is."""
    return next((path for name in names if (path := shutil.which(name))), None)


def end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM, grace_s: float = GRACE_S) -> None:
    """Closes the pipes of a process and ends it with the signal ``how``. If it still runs after ``grace_s``, kills
    it."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), GRACE_S)
    except TimeoutError:
        process.kill()
        await process.wait()


async def output_of(*command: str, name: str = "", stdin: bytes = b"", deadline_s: float = 30.0, **options: Any) -> str:
    """Runs a command and returns its stdout. ``name`` is its name in error messages (default: the command line).
    ``options`` are passed to ``asyncio.create_subprocess_exec``. Raises BenchmarkError if the command fails, with the
    end of its stderr, or if it takes longer than ``deadline_s``."""
    name = name or " ".join(command)
    pipe = asyncio.subprocess.PIPE
    defaults = {"stdin": pipe if stdin else asyncio.subprocess.DEVNULL, "stdout": pipe, "stderr": pipe}
    process = await asyncio.create_subprocess_exec(*command, **(defaults | options))
    try:
        output, errors = await asyncio.wait_for(process.communicate(stdin or None), deadline_s)
    except TimeoutError:
        raise BenchmarkError(f"{name} took longer than {deadline_s:g} s") from None
    finally:
        await _end(process)
    if process.returncode != 0:
        reason = (errors or output).decode(errors="replace").strip()[-300:] or "see its messages above"
        raise BenchmarkError(f"{name} ended with code {process.returncode}: {reason}")
    return output.decode(errors="replace")


class Program:
    """A running process with which a benchmark communicates in lines of text."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self.pid = process.pid
        self._process = process
        self._name = name

    async def write(self, line: str) -> None:
        """Sends a line to stdin of the process."""
        if self._process.stdin is None:
            raise BenchmarkError(f"{self._name} has no stdin")
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def read(self, deadline_s: float = ANSWER_S) -> str:
        """The next line that the process prints. Raises BenchmarkError if the process has ended, TimeoutError after
        ``deadline_s``."""
        output = self._process.stdout
        line = await asyncio.wait_for(output.readline(), deadline_s) if output is not None else b""
        if not line:
            raise BenchmarkError(f"{self._name} has ended: see its messages above")
        return line.decode().removesuffix("\n")

    async def ask(self, do: str, **fields: Any) -> Any:
        """Sends the command ``do`` with its fields, and returns the result. The program must call
        ``answer_commands``."""
        await self.write(json.dumps({"do": do, **fields}))
        return json.loads(await self.read())


@asynccontextmanager
async def running(command: Sequence[str], **options: Any) -> AsyncIterator[Program]:
    """Context manager that runs a command. Ends it with SIGTERM, and with SIGKILL if it still runs after ``GRACE_S``.
    Use it in the main thread, because the process also ends with the thread that started it. ``options`` are passed to
    ``asyncio.create_subprocess_exec``. By default, stdin and stdout are pipes."""
    pipe = asyncio.subprocess.PIPE
    defaults: dict[str, Any] = {"cwd": BASE, "env": environment_with(), "stdin": pipe, "stdout": pipe}
    process = await asyncio.create_subprocess_exec(
        *with_death_signal(command), limit=MAX_LINE_BYTES, **(defaults | options)
    )
    try:
        yield Program(process, command[0])
    finally:
        await _end(process)


def program(module: str, *arguments: str) -> AbstractAsyncContextManager[Program]:
    """Context manager that runs a module of ``dashboard.bench`` as a program."""
    return running([sys.executable, "-m", f"dashboard.bench.{module}", *arguments])


async def stdin_lines() -> AsyncIterator[str]:
    """Yields the lines of stdin without blocking the event loop."""
    reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().removesuffix("\n")


async def answer_commands(commands: Mapping[str, Callable[..., Awaitable[Any]]]) -> None:
    """Executes the commands that another process sends with ``Program.ask``, until stdin ends. The field ``do`` of a
    command is a key of ``commands``. The function with that key is called with the other fields of the command. Its
    result is printed as JSON."""
    async for line in stdin_lines():
        fields = json.loads(line)
        print_line(json.dumps(await commands[fields.pop("do")](**fields)))


def print_line(text: str) -> None:
    """Prints a line and flushes stdout."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def end_cleanly() -> None:
    """Makes SIGTERM end this program like Ctrl-C, so that context managers remove what they have created."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def cpu_seconds(pid: int) -> float:
    """Returns the processor time that all threads of a process have used, in seconds. It includes ended threads and is
    precise to a nanosecond. Raises ProcessLookupError if the process has ended."""
    # The id of another process's CPU clock (clock_getcpuclockid(3); CPUCLOCK_SCHED in
    # include/linux/posix-timers_types.h). /proc/PID/stat counts only in ticks of 10 ms.
    try:
        return time.clock_gettime(ctypes.c_int(~pid << 3 | 2).value)
    except OSError as error:
        raise ProcessLookupError(f"no process {pid}") from error


def memory_mb(*pids: int) -> float:
    """The resident memory of these processes in MB."""
    return sum(psutil.Process(pid).memory_info().rss for pid in pids) / 1e6


def environment_with(**values: str) -> dict[str, str]:
    """The environment variables of this process, with ``values`` added. Leaves out variables that configure the user's
    own installation, such as DATABASE_URL."""
    left_out = ("DATABASE_URL", "NATS_URL", "DJANGO_SETTINGS_MODULE", "NETMODES_")
    passed_on = ("NETMODES_NODE_MODULES", "NETMODES_ENGINE_", "NETMODES_HOST_RUNTIME", "NETMODES_TOUR_PICTURES")
    kept = {k: value for k, value in os.environ.items() if k.startswith(passed_on) or not k.startswith(left_out)}
    return kept | values
