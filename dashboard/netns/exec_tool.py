"""Runs a program of the machine inside a network namespace and yields its output."""

import asyncio
import codecs
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import IO, cast

from dashboard.netns.namespace import Namespace, NamespaceGone, in_own_thread

#: Where the tools are searched.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHUNK_BYTES = 8192
_ENVIRONMENT = {
    "PATH": SEARCH_PATH,
    "LC_ALL": "C.UTF-8",
    "TERM": "dumb",
}
#: A constant script: its input are positional parameters, never script text. Each pair is a file and its mount
#: point; the command follows ``--``.
_BIND_FILES = """
while [ "$1" != -- ]; do
    mount --bind "$1" "$2" && mount -o remount,bind,ro "$2" || exit 125
    shift 2
done
shift
exec "$@"
"""


async def run_inside(
    namespace: Namespace,
    argv: Sequence[str],
    *,
    resolv_conf: Path | bytes | None = None,
    hosts: Path | bytes | None = None,
    timeout_s: float = 10.0,
    limit_bytes: int = 200_000,
    on_exit: Callable[[int | None], None] | None = None,
) -> AsyncGenerator[str]:
    """Runs ``argv`` with the machine's files and the namespace's network. Yields stdout and stderr together, as text.

    ``resolv_conf`` and ``hosts`` replace the files of these names in the program's ``/etc``. Each is a path or the
    contents of a file. The program sees them read-only, in a mount namespace of its own. ``on_exit`` is called with the
    exit status, or None if the program was killed.

    After ``timeout_s`` seconds or ``limit_bytes`` of output, all processes of the program are killed, and a last line
    of the output reports this. The processes are also killed when the generator is closed: use ``contextlib.aclosing``.
    Raises NamespaceGone if ``namespace`` is closed.
    """
    if namespace.fd < 0:
        raise NamespaceGone("the namespace was closed")
    own = namespace.duplicate()
    folder: tempfile.TemporaryDirectory[str] | None = None
    try:
        pairs: list[str] = []
        for name, source in (("resolv.conf", resolv_conf), ("hosts", hosts)):
            if isinstance(source, bytes):
                if folder is None:
                    folder = await in_own_thread(_make_folder)
                source = await in_own_thread(partial(_write, Path(folder.name) / name, source))  # noqa: PLW2901
            if source is not None:
                pairs += [str(source), f"/etc/{name}"]
        command = [*_command(own.fd, pairs), *argv]
        async with aclosing(_run(command, own.fd, timeout_s, limit_bytes, on_exit)) as pieces:
            async for text in pieces:
                yield text
    finally:
        own.close()
        if folder is not None:
            await in_own_thread(folder.cleanup)


def _make_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="netmodes-")


def _write(path: Path, contents: bytes) -> Path:
    path.write_bytes(contents)
    path.chmod(0o644)
    return path


def _command(fd: int, pairs: list[str]) -> list[str]:
    """Returns a command that enters the namespace and executes the arguments that the caller appends. ``fd`` is the
    namespace's descriptor. ``pairs`` are the files to mount: each path is followed by its mount point. /sys is not
    remounted: it remains the machine's."""
    enter = ["nsenter", f"--net=/proc/self/fd/{fd}", "--"]
    if not pairs:
        return enter
    return [*enter, "unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _BIND_FILES, "sh", *pairs, "--"]


async def _run(
    command: list[str], fd: int, timeout_s: float, limit_bytes: int, on_exit: Callable[[int | None], None] | None
) -> AsyncGenerator[str]:
    loop = asyncio.get_running_loop()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    deadline = loop.time() + timeout_s
    left = limit_bytes
    whole = False
    session = await in_own_thread(lambda: _Session(command, fd), discard=_Session.end)
    try:
        session.watch()
        while left > 0:
            async with asyncio.timeout_at(deadline):
                part = await session.read(min(_CHUNK_BYTES, left))
            if not part:
                whole = True
                break
            left -= len(part)
            if text := decoder.decode(part):
                yield text
        if text := decoder.decode(b"", final=True):
            yield text
        if whole:  # the pipe ends a little before the process does
            async with asyncio.timeout_at(deadline):
                await session.ended.wait()
        else:
            yield f"\n[cut after {limit_bytes} bytes]\n"
    except TimeoutError:
        yield f"\n[stopped after {timeout_s:g} s]\n"
    finally:
        session.forget()
        status = await in_own_thread(session.end)
        if on_exit is not None:
            on_exit(status)


class _Session:
    """Runs a command in a session of its own. The command is reaped only after the whole session has been killed. Until
    then, neither the command's pid nor the session's id, which is the same number, can be reused."""

    def __init__(self, command: list[str], fd: int) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(fd,),
            start_new_session=True,
            env=_ENVIRONMENT,
        )
        self._out = cast("IO[bytes]", self._process.stdout)
        os.set_blocking(self._out.fileno(), False)
        self._pidfd = os.pidfd_open(self._process.pid)
        self.ended = asyncio.Event()

    def watch(self) -> None:
        """Kills the rest of the session when the command exits, so that the output ends."""
        asyncio.get_running_loop().add_reader(self._pidfd, self._kill)

    async def read(self, most: int) -> bytes:
        """Returns the next output, at most ``most`` bytes; empty at the end."""
        while True:
            try:
                return os.read(self._out.fileno(), most)
            except BlockingIOError:
                await self._readable()

    async def _readable(self) -> None:
        # The loop does not own the pipe: uvloop would close its descriptor, and later the file object would close the
        # same number again. By then it may be a descriptor of another thread (``UVSocketHandle._close``).
        loop, fd = asyncio.get_running_loop(), self._out.fileno()
        ready = asyncio.Event()
        loop.add_reader(fd, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(fd)

    def _kill(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._kill_all()
        self.ended.set()

    def _kill_all(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def forget(self) -> None:
        """Removes the callback of ``watch`` from the loop."""
        asyncio.get_running_loop().remove_reader(self._pidfd)

    def end(self) -> int | None:
        """Kills the processes of the session that still run. Returns the exit status; None if the command was
        killed."""
        self._kill_all()
        status = self._process.wait()
        os.close(self._pidfd)
        self._out.close()
        return None if status == -signal.SIGKILL else status
