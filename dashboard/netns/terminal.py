"""A tool of the machine, run inside a namespace, its output in pieces of text."""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
from pathlib import Path

from dashboard.netns.entry import Namespace, NamespaceGone

_CHUNK_BYTES = 8192
_LAST_WORDS_S = 1.0
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "TERM": "dumb",
}
#: A constant program: what it is given are positional parameters, never text of the script. Each pair is
#: a file and where it shall be seen; what follows ``--`` is the command.
_SEE_FILES = """
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
) -> AsyncIterator[str]:
    """Runs ``argv`` with the machine's files and the namespace's network, and yields its output (stdout
    and stderr together) as it comes.

    ``resolv_conf`` and ``hosts``, a file or its contents, are what the tool sees in ``/etc``, read-only
    and in a mount namespace of its own. Ends, and kills everything started, after ``timeout_s`` seconds,
    after ``limit_bytes`` or when the caller stops (use ``contextlib.aclosing``); a last line says so. ``on_exit`` gets the exit status,
    None if it was killed. NamespaceGone if ``namespace`` is closed.
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
                    folder = await asyncio.to_thread(_make_folder)
                source = await asyncio.to_thread(_write, Path(folder.name) / name, source)  # noqa: PLW2901
            if source is not None:
                pairs += [str(source), f"/etc/{name}"]
        command = [*_command(own.fd, pairs), *argv]
        async with aclosing(_run(command, own.fd, timeout_s, limit_bytes, on_exit)) as pieces:
            async for text in pieces:
                yield text
    finally:
        own.close()
        if folder is not None:
            await asyncio.to_thread(folder.cleanup)


def _make_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="netmodes-")


def _write(path: Path, contents: bytes) -> Path:
    path.write_bytes(contents)
    path.chmod(0o644)
    return path


def _command(fd: int, pairs: list[str]) -> list[str]:
    """What enters the namespace before the tool runs. /sys stays the machine's: it is not remounted."""
    enter = ["nsenter", f"--net=/proc/self/fd/{fd}", "--"]
    if not pairs:
        return enter
    return [*enter, "unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _SEE_FILES, "sh", *pairs, "--"]


async def _run(
    command: list[str], fd: int, timeout_s: float, limit_bytes: int, on_exit: Callable[[int | None], None] | None
) -> AsyncGenerator[str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        pass_fds=(fd,),
        start_new_session=True,
        env=_ENVIRONMENT,
    )
    status: int | None = None
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    deadline = asyncio.get_running_loop().time() + timeout_s
    left = limit_bytes
    try:
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        try:
            while left > 0:
                async with asyncio.timeout_at(deadline):
                    part = await process.stdout.read(min(_CHUNK_BYTES, left))
                if not part:
                    break
                left -= len(part)
                if text := decoder.decode(part):
                    yield text
            if left > 0:
                async with asyncio.timeout_at(deadline):
                    status = await process.wait()
        except TimeoutError:
            yield f"\n[stopped after {timeout_s:g} s]\n"
        else:
            if text := decoder.decode(b"", final=True):
                yield text
            if left <= 0:
                yield f"\n[cut after {limit_bytes} bytes]\n"
    finally:
        await _end(process)
        if on_exit is not None:
            on_exit(status)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kills the whole session that was started, even where the caller was cancelled."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        # What is left in the pipe is thrown away: until its end is read, asyncio keeps the transport.
        async with asyncio.timeout(_LAST_WORDS_S):
            while process.stdout is not None and await process.stdout.read(_CHUNK_BYTES):
                pass
            await process.wait()
