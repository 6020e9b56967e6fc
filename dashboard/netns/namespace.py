"""Opens network namespaces, and runs functions in them.

setns(2) moves only the calling thread. So a new thread enters the namespace and ends after the function: it is never
reused.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

#: ioctl_nsfs(2): the type of the namespace that a descriptor refers to.
_NS_GET_NSTYPE = 0xB703


class NamespaceGone(Exception):  # noqa: N818 - names the state, not a fault
    """The process or the namespace does not exist, or the ``Namespace`` object has been closed."""


@contextmanager
def pinned_pid(pid: int) -> Iterator[None]:
    """Ensures that ``pid`` names the same process throughout the ``with`` block. Raises NamespaceGone if the process
    does not exist. Also raises it at the end of the block if the process has ended meanwhile, because the kernel may
    have given the pid to another process (pidfd_open(2))."""
    try:
        pidfd = os.pidfd_open(pid)
    except (ProcessLookupError, ValueError, OverflowError) as error:
        raise NamespaceGone(f"no process {pid}") from error
    except OSError as error:  # EINVAL: not a pid at all; ENOENT: a thread's id
        if isinstance(error, PermissionError):
            raise
        raise NamespaceGone(f"no process {pid}: {error.strerror}") from error
    try:
        try:
            yield
        except (FileNotFoundError, ProcessLookupError) as error:
            raise NamespaceGone(f"process {pid} has ended") from error
        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        if ended.poll(0):
            raise NamespaceGone(f"process {pid} has ended")
    finally:
        os.close(pidfd)


def namespace_file(pid: int, kind: str) -> str:
    """Returns the path of the file of a process's namespace. ``kind`` is its name in /proc/PID/ns.

    For Podman's service and the kind ``net``, this is the file of the namespace that most of its threads are in. The
    main thread may remain in the network namespace of a removed container or of Podman's bridges.
    """
    process = Path(f"/proc/{pid}")
    # A rootless service has the process name ``exe``, since it has re-executed itself as /proc/self/exe.
    if kind == "net" and (process / "comm").read_text(errors="replace").strip() in {"podman", "exe"}:
        threads: dict[int, list[Path]] = {}
        for thread in (process / "task").iterdir():
            with suppress(FileNotFoundError):
                threads.setdefault((thread / "ns/net").stat().st_ino, []).append(thread / "ns/net")
        if threads:
            return str(max(threads.values(), key=len)[0])
    return f"/proc/{pid}/ns/{kind}"


def open_namespace_of(pid: int, kind: str) -> int:
    """Opens ``/proc/PID/ns/KIND`` and returns the descriptor. Raises NamespaceGone, or PermissionError without the
    privilege."""
    descriptor = -1
    try:
        with pinned_pid(pid):
            descriptor = os.open(namespace_file(pid, kind), os.O_RDONLY | os.O_CLOEXEC)
    except BaseException:
        if descriptor >= 0:
            os.close(descriptor)
        raise
    return descriptor


def in_thread[T](fn: Callable[[], T]) -> T:
    """Runs ``fn`` in a new thread and waits for it. Returns its result or raises its exception."""
    outcome = _Outcome(fn)
    thread = threading.Thread(target=outcome.run, name="netns visit", daemon=True)
    thread.start()
    thread.join()
    return outcome.get()


async def in_own_thread[T](fn: Callable[[], T], discard: Callable[[T], object] | None = None) -> T:
    """Runs ``fn`` in a new thread without blocking the event loop. Returns its result or raises its exception. If the
    caller is cancelled meanwhile, ``discard`` is called with the result, to release it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    outcome = _Outcome(fn)

    def settle() -> None:
        if not future.cancelled():
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.get())
        elif outcome.error is None and discard is not None:
            discard(outcome.get())

    def body() -> None:
        outcome.run()
        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:  # the loop was closed meanwhile
            if outcome.error is None and discard is not None:
                discard(outcome.get())

    # Not in the loop's thread pool, which calls to an engine that hangs can fill.
    threading.Thread(target=body, name="netns visit", daemon=True).start()
    try:
        return await future
    except asyncio.CancelledError:
        # The caller was cancelled after the result was there and before it was taken.
        if discard is not None and future.done() and not future.cancelled() and future.exception() is None:
            discard(future.result())
        raise


class _Outcome[T]:
    """The outcome of a function: ``run`` calls the function in one thread, ``get`` returns its result or raises its
    exception in another thread."""

    def __init__(self, fn: Callable[[], T]) -> None:
        self._fn = fn
        self._results: list[T] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._results.append(self._fn())
        except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
            self.error = error

    def get(self) -> T:
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None  # breaks the cycle error -> traceback -> frame -> self
        return self._results[0]


class Namespace:
    """An open network namespace. The descriptor keeps it alive even without processes.

    ``inode`` is the inode of ``/proc/PID/ns/net``. Close the namespace, or use it as a context manager.
    """

    __slots__ = ("_fd", "inode")

    def __init__(self, fd: int) -> None:
        """Takes ownership of the descriptor ``fd``. Raises NamespaceGone if it does not refer to a network
        namespace."""
        self._fd = fd
        try:
            kind = fcntl.ioctl(fd, _NS_GET_NSTYPE)
            self.inode: int = os.fstat(fd).st_ino
        except OSError as error:  # ENOTTY: the empty file that remains when a sandbox is unmounted
            self.close()
            raise NamespaceGone(f"not a namespace: {error.strerror}") from error
        if kind != os.CLONE_NEWNET:
            self.close()
            raise NamespaceGone("this is a namespace of another type")

    @classmethod
    def of_pid(cls, pid: int) -> Self:
        """Opens the namespace of a living process. Raises NamespaceGone, or PermissionError without the privilege."""
        return cls(open_namespace_of(pid, "net"))

    @classmethod
    def of_machine(cls, pid: int, path: str = "") -> Self:
        """Opens the network namespace of an engine's machine. ``pid`` is the pid of the engine's daemon. ``path`` is
        the path of the namespace in the file system that the daemon sees; if it is empty, the daemon's own namespace is
        opened."""
        return cls.of_path_inside(pid, path) if path else cls.of_pid(pid)

    @classmethod
    def of_path_inside(cls, pid: int, path: str) -> Self:
        """Opens the namespace that is bound to a file, such as Docker's SandboxKey or a file of ``ip netns``. ``path``
        is its path in the mount namespace and root of the living process ``pid``. Raises NamespaceGone."""
        from dashboard.netns.files import open_inside

        fd = open_inside(pid, path, os.O_RDONLY | os.O_NONBLOCK)
        if fd is None:
            raise NamespaceGone(f"no namespace at {path} of process {pid}")
        return cls(fd)

    @property
    def fd(self) -> int:
        """The descriptor; -1 after ``close``."""
        return self._fd

    def duplicate(self) -> Namespace:
        """Returns a second, independent handle of the same namespace. Raises NamespaceGone after ``close``."""
        if self._fd < 0:
            raise NamespaceGone("the namespace was closed")
        return Namespace(fcntl.fcntl(self._fd, fcntl.F_DUPFD_CLOEXEC, 3))

    def close(self) -> None:
        """Closes the descriptor. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            self.close()

    def __repr__(self) -> str:
        return f"<Namespace net:[{self.inode}]{'' if self._fd >= 0 else ' closed'}>"

    def _entered[T](self, fn: Callable[[], T]) -> Callable[[], T]:
        def visit() -> T:
            if self._fd < 0:
                raise NamespaceGone("the namespace was closed")
            os.setns(self._fd, os.CLONE_NEWNET)
            return fn()

        return visit

    def run[T](self, fn: Callable[[], T]) -> T:
        """Runs ``fn`` in a thread that enters the namespace and ends afterwards (about 0.1 ms). Returns its result.

        Sockets that ``fn`` creates belong to the namespace permanently. In ``fn``, never read ``/proc/net``, which
        shows the namespace of the process's first thread. ``/proc/thread-self/net`` and ``/proc/sys/net`` show this
        namespace.
        """
        return in_thread(self._entered(fn))

    async def arun[T](self, fn: Callable[[], T], discard: Callable[[T], object] | None = None) -> T:
        """Like ``run``, but without blocking the event loop. If the caller is cancelled meanwhile, ``discard`` is
        called with the result, to release it."""
        return await in_own_thread(self._entered(fn), discard)
