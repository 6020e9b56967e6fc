"""How a signal ends a command.

Ctrl-C, SIGTERM and a closed terminal have the same effect. The command removes everything that it started and prints
one sentence. Its exit status is 128 plus the signal's number.

Before a command has created anything, a signal ends the process at once, because an exception in the middle of imports
would be printed with a traceback, or lost in a callback.

This module needs only the standard library. It imports asyncio only where it uses it, because importing asyncio takes
longer than all other imports before the first signal is handled.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from _thread import start_new_thread
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import FrameType

TYPE_CHECKING = False  # typing.TYPE_CHECKING; the import takes as long as all others
if TYPE_CHECKING:
    from typing import Any, NoReturn

SENTENCE = "Interrupted."
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Within this time after the first signal, further signals do not disturb the cleanup, which takes less time. Later
#: signals end the process at once.
GRACE_S = 5.0
#: The time after which a signal is sent again if the exception that it raised was dropped.
REPEAT_S = 0.01

#: The signals that this process handles; none in a program that only imports its commands.
_handled: list[signal.Signals] = []
#: When the first signal came.
_first_at: list[float] = []


class Interrupted(KeyboardInterrupt):
    """Raised if a signal ends the command. ``exit_code`` is 128 plus the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


def end_at_once() -> None:
    """Sets signal handlers that print ``SENTENCE`` and end the process. A signal that is ignored, such as SIGHUP under
    nohup(1), stays ignored."""
    _handled[:] = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    for number in _handled:
        signal.signal(number, _end)
    sys.unraisablehook = _on_dropped
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def postpone() -> None:
    """Blocks the signals until the program that replaces this process calls ``end_at_once``."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def raise_interrupts() -> None:
    """Sets signal handlers that raise ``Interrupted`` in the main thread."""
    for number in _handled:
        signal.signal(number, _raise)


def ignore() -> None:
    """Ignores signals from now on. For a process that is about to end: while it ends, Python would replace any other
    handler with the default."""
    for number in _handled:
        signal.signal(number, signal.SIG_IGN)


def leave_terminal() -> None:
    """Redirects standard streams that are a terminal to /dev/null: a closed terminal answers every write with EIO."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for stream in (0, 1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(stream).st_mode):
                os.dup2(null, stream)
    os.close(null)


def is_first(number: int) -> bool:
    """Returns whether the signal ``number``, just received, is the first one. Ends the process if the first one was
    received more than ``GRACE_S`` ago. After SIGHUP, also calls ``leave_terminal``."""
    if number == signal.SIGHUP:
        leave_terminal()
    if not _first_at:
        _first_at.append(time.monotonic())
        return True
    if time.monotonic() - _first_at[0] > GRACE_S:
        _end(number)
    return False


def _end(number: int, _frame: FrameType | None = None) -> NoReturn:
    with suppress(OSError):
        os.write(2, f"{SENTENCE}\n".encode())
    os._exit(128 + number)


def _raise(number: int, _frame: FrameType | None) -> None:
    if is_first(number):
        raise Interrupted(number)


def _on_dropped(dropped: sys.UnraisableHookArgs) -> None:
    """Python drops an exception that a callback raises, for example that of a weak reference, or ``__del__``. If a
    signal has raised it, sends the signal again a moment later, when the callback has ended."""
    if not isinstance(dropped.exc_value, Interrupted):
        sys.__unraisablehook__(dropped)
        return
    _first_at.clear()
    start_new_thread(_send_again, (dropped.exc_value.exit_code - 128,))


def _send_again(number: int) -> None:
    time.sleep(REPEAT_S)
    os.kill(os.getpid(), number)


def run[T](work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a coroutine in a new event loop and returns its result. After the first signal, cancels the coroutine,
    waits until it has ended, and raises ``Interrupted``."""
    import asyncio

    received: list[int] = []

    async def main() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def on_signal(number: int) -> None:
            if is_first(number):
                received.append(number)
                if task is not None:
                    task.cancel()

        for number in _handled:
            loop.add_signal_handler(number, on_signal, number)
        return await work()

    try:
        result = asyncio.run(main())
    except asyncio.CancelledError:
        if not received:
            raise
    finally:
        raise_interrupts()
    if received:
        raise Interrupted(received[0])
    return result


async def uninterrupted[T](work: Coroutine[Any, Any, T]) -> T:
    """Waits for the end of ``work``, even if the caller is cancelled, and returns its result. After a cancellation,
    raises CancelledError at the end of ``work``. For cleanup, and for threads that create something, because a
    cancellation does not stop a thread."""
    import asyncio

    task = asyncio.ensure_future(work)
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            is_cancelled = True
    result = task.result()
    if is_cancelled:
        raise asyncio.CancelledError
    return result
