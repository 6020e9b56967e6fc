"""How a command ends early: one exception or cancellation, and cleaning up that nothing interrupts."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard import interrupts
from tests.support.polling import DEADLINE_S, others_run

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes this process handle signals as a command does."""
    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(interrupts, "_handled", [])
    monkeypatch.setattr(interrupts, "_first_at", [])
    monkeypatch.setattr(interrupts, "GRACE_S", 60.0)  # a signal after a long stall would end this process
    interrupts.end_at_once()
    interrupts.raise_interrupts()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("handled")
def test_a_signal_raises_once(number: signal.Signals) -> None:
    with pytest.raises(interrupts.Interrupted) as raised:
        signal.raise_signal(number)
    assert raised.value.exit_code == 128 + number
    signal.raise_signal(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("handled")
def test_a_signal_during_a_callback_ends_the_command_too(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    """Python drops the exception: importing modules calls such callbacks often."""
    things = [type("Thing", (), {})()]
    reference = weakref.ref(things[0], lambda _reference: signal.raise_signal(number))

    def drop_it_and_wait() -> None:
        things.clear()
        assert reference() is None
        threading.Event().wait(DEADLINE_S)

    with pytest.raises(interrupts.Interrupted) as raised:
        drop_it_and_wait()
    assert raised.value.exit_code == 128 + number
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.usefixtures("handled")
def test_another_error_of_a_callback_is_reported(capfd: pytest.CaptureFixture[str]) -> None:
    things = [type("Thing", (), {})()]
    reference = weakref.ref(things[0], lambda _reference: int("nothing"))
    things.clear()
    assert reference() is None
    assert "ValueError: invalid literal" in capfd.readouterr().err


@pytest.mark.usefixtures("handled")
def test_at_the_end_signals_are_ignored_by_the_kernel() -> None:
    """A handler in Python would be set back to the default while Python ends, and the exit code would be the signal."""
    interrupts.ignore()
    for number in interrupts.SIGNALS:
        assert signal.getsignal(number) == signal.SIG_IGN
        signal.raise_signal(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("handled")
def test_a_signal_cancels_a_coroutine_and_further_ones_do_not_disturb_its_end(number: signal.Signals) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            signal.raise_signal(number)
            await asyncio.Event().wait()
        finally:
            for _ in range(3):
                signal.raise_signal(number)
                await others_run()
            ended.append("clean")

    with pytest.raises(interrupts.Interrupted) as raised:
        interrupts.run(work)
    assert raised.value.exit_code == 128 + number
    assert ended == ["clean"]


@pytest.mark.usefixtures("handled")
def test_a_signal_that_comes_when_the_work_is_done_counts_too() -> None:
    async def work() -> int:
        signal.raise_signal(signal.SIGTERM)
        return 1

    with pytest.raises(interrupts.Interrupted):
        interrupts.run(work)


@pytest.mark.usefixtures("handled")
def test_without_a_signal_the_result_or_the_error_is_that_of_the_coroutine() -> None:
    async def answer() -> int:
        return 42

    async def fail() -> int:
        raise ValueError("wrong")

    async def cancelled() -> int:
        raise asyncio.CancelledError

    assert interrupts.run(answer) == 42
    with pytest.raises(ValueError, match="wrong"):
        interrupts.run(fail)
    with pytest.raises(asyncio.CancelledError):
        interrupts.run(cancelled)


async def test_a_cancellation_waits_for_uninterrupted_work() -> None:
    released, ended = asyncio.Event(), []

    async def clean_up() -> str:
        await released.wait()
        ended.append(True)
        return "done"

    task = asyncio.ensure_future(interrupts.uninterrupted(clean_up()))
    for _ in range(3):
        await others_run()
        task.cancel()
    await others_run()
    assert not task.done()
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
    assert await interrupts.uninterrupted(clean_up()) == "done"


async def test_an_error_of_uninterrupted_work_is_raised() -> None:
    async def fail() -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await interrupts.uninterrupted(fail())


#: Prints a line once signals are handled, then runs ``{then}``.
PROGRAM = "from dashboard import interrupts; interrupts.end_at_once(); print('ready', flush=True)\n{then}"
#: Not signal.pause(): a signal that arrives just before its system call is handled only after it, so never.
LOOP = "while True: pass"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_before_the_work_a_signal_ends_the_process_with_one_sentence(number: signal.Signals) -> None:
    command = [sys.executable, "-c", PROGRAM.format(then=LOOP)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (128 + number, "Interrupted.\n")


def test_a_program_takes_the_place_of_another_without_losing_a_signal() -> None:
    program = "import os, signal, sys; from dashboard import interrupts; interrupts.postpone(); "
    program += "os.kill(os.getpid(), signal.SIGINT); "
    program += f"os.execv(sys.executable, [sys.executable, '-c', {PROGRAM.format(then=LOOP)!r}])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


def test_under_nohup_a_closed_terminal_is_ignored() -> None:
    program = PROGRAM.format(then="import os, signal; os.kill(os.getpid(), signal.SIGHUP); print('goes on')")
    done = subprocess.run(
        ["nohup", sys.executable, "-c", program],
        cwd=ROOT, capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "ready\ngoes on\n")


def test_a_closed_terminal_is_replaced_by_dev_null() -> None:
    master, slave = os.openpty()
    program = "import os; from dashboard import interrupts; os.read(0, 9); interrupts.leave_terminal(); print('x'); "
    program += "import sys; sys.stdout.flush()"
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    os.close(master)
    assert process.wait(20) == 0
