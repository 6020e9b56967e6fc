"""Ctrl-C, SIGTERM and a closed terminal at each phase of each command: it ends, with one sentence, and leaves nothing.

The private hosts that the commands start are real."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.cleanup import cgroup_folders
from dashboard.engine.hosts.registry import read
from tests.browser.server import free_port
from tests.management.conftest import used_before
from tests.support.polling import until
from tests.support.private_engine import share_lab_image
from tests.support.terminal import LONG_S, ROOT

pytestmark = pytest.mark.engine

#: A phase of a command begins some seconds after it has printed a text, or after the engine of a private host answers.
READY = "the engine answers"
PHASES: dict[str, tuple[str, float]] = {
    "first moment": ("", 0.03),
    "imports": ("", 0.4),
    "engine starts": ("Starting ", 0.1),
    "images": (READY, 0.0),
    "work": (READY, 0.5),
    "serving": ("Sign in (once)", 0.1),
    "measuring": ("rounds, ", 0.1),
}
COMMANDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "up": (("up", "--port", "PORT"), ("first moment", "imports", "engine starts", "images", "serving")),
    "compare": (("compare", "host", "bridge"), ("first moment", "imports", "engine starts", "work")),
    "measure": (("measure", "host", "bridge"), ("first moment", "imports", "images", "measuring")),
    "claims": (("claims",), ("first moment", "imports", "engine starts", "work")),
    "hosts": (("hosts", "create", "2"), ("first moment", "imports", "engine starts", "images")),
    "bench": (("bench", "--quick"), ("first moment", "imports", "engine starts", "work")),
}
#: How a command is ended: the signals in their order. None stands for a terminal that is closed.
WAYS: dict[str, tuple[signal.Signals | None, ...]] = {
    "Ctrl-C": (signal.SIGINT,),
    "Ctrl-C twice": (signal.SIGINT,) * 2,
    "Ctrl-C three times": (signal.SIGINT,) * 3,
    "SIGTERM": (signal.SIGTERM,),
    "closed terminal": (None,),
}
#: The gate runs these; ``./netmodes test --all`` runs all.
GATE = {
    ("up", "serving", "closed terminal"),
    ("compare", "first moment", "Ctrl-C"),
    ("compare", "work", "SIGTERM"),
    ("measure", "measuring", "Ctrl-C"),
    ("hosts", "images", "Ctrl-C three times"),
}
WALK = [(command, phase, way) for command, (_words, phases) in COMMANDS.items() for phase in phases for way in WAYS]
#: How long a command may take to end if it gets a whole processor.
ENDS_S = 5.0
BLOCKED = ("env", "--block-signal=INT,TERM,HUP")
SENTENCES = ("Interrupted.", "Netmodes has stopped.")


@dataclass
class Started:
    """A command in its own session with a terminal, or with its output in a file."""

    folder: Path
    process: subprocess.Popen[bytes]
    output: Path
    terminal: int = -1
    hosts: set[str] = field(default_factory=set)

    def printed(self) -> str:
        """The output of the command so far. Also records the private hosts that exist now."""
        for place in (self.folder, self.folder / "bench"):
            self.hosts |= {path.name for path in (place / "hosts").glob("*")}
        if self.terminal >= 0:
            with suppress(OSError), self.output.open("ab") as file:
                file.write(os.read(self.terminal, 1 << 16))
        return self.output.read_text(errors="replace")

    def has(self, sign: str) -> bool:
        """Whether the command has printed this text, or, for READY, whether the engine of a host answers."""
        text = self.printed()
        if sign != READY:
            return sign in text
        folders = [path for place in (self.folder, self.folder / "bench") for path in (place / "hosts").glob("*")]
        return any(read(path).get("ready") for path in folders)

    def processes(self) -> list[str]:
        """The command lines of processes with this data folder in their environment or arguments."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (path / "cmdline").read_bytes()
                if str(self.folder).encode() in (path / "environ").read_bytes() + words and words:
                    found.append(words.replace(b"\0", b" ").decode(errors="replace")[:200])
        return found

    def remains(self) -> list[str]:
        """What is left: processes, folders, sockets and cgroups of private hosts."""
        left = self.processes()
        left += [str(path) for place in (self.folder, self.folder / "bench") for path in (place / "hosts").glob("*")]
        left += [str(path) for host in self.hosts if (path := private_host.RUN / host).exists()]
        return left + [str(path) for host in self.hosts for path in cgroup_folders(f"netmodes-{host}")]


def start(folder: Path, words: tuple[str, ...], *, with_terminal: bool) -> Started:
    """Starts a command without an engine: it starts a private host."""
    environment = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    environment["NETMODES_DATA_DIR"] = str(folder)
    arguments = [str(free_port()) if word == "PORT" else word for word in words]
    # The launcher blocks the signals until the command handles them.
    command = [*BLOCKED, sys.executable, "-W", "error", str(ROOT / "manage.py"), *arguments]
    output = folder.parent / "output"
    output.touch()
    if with_terminal:
        master, slave = os.openpty()
        os.set_blocking(master, False)
        command = ["setsid", "--ctty", *command]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        return Started(folder, process, output, master)
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    return Started(folder, process, output)


@pytest.fixture
def folder(tmp_path: Path, kept: Path) -> Iterator[Path]:
    """A data folder with the lab image. Private hosts that remain in it are removed."""
    made = used_before(tmp_path / "data", kept)
    share_lab_image(made)
    yield made
    for place in (made, made / "bench"):
        asyncio.run(private_host.stop_all(place))


def allowed_s() -> float:
    """The seconds that a command may take to end now: the load tells what share of a processor each process gets. The
    average of a minute lags behind the threads that run now."""
    running = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    return ENDS_S * max(1.0, max(os.getloadavg()[0], running) / (os.cpu_count() or 1))


def wait_for(started: Started, phase: str) -> bool:
    """Waits until a phase of the command has begun; False if the command ended before."""
    sign, delay_s = PHASES[phase]
    until(lambda: started.has(sign) or started.process.poll() is not None, LONG_S)
    end = time.monotonic() + delay_s
    until(lambda: started.printed() is not None and (time.monotonic() > end or started.process.poll() is not None))
    return started.process.poll() is None


@pytest.mark.parametrize(
    ("command", "phase", "way"),
    [pytest.param(*case, marks=[] if case in GATE else [pytest.mark.slow], id=" ".join(case)) for case in WALK],
)
def test_a_command_ends_with_one_sentence_and_leaves_nothing(
    command: str, phase: str, way: str, folder: Path, record_property: Callable[[str, object], None]
) -> None:
    words, _phases = COMMANDS[command]
    started = start(folder, words, with_terminal=way == "closed terminal")
    try:
        was_running = wait_for(started, phase)
        began = time.monotonic()
        for number in WAYS[way]:
            if number is None:
                os.close(started.terminal)
                started.terminal = -1
            elif started.process.poll() is None:
                started.process.send_signal(number)
                pause = time.monotonic() + 0.2
                until(lambda: time.monotonic() > pause or started.process.poll() is not None)  # noqa: B023
        until(lambda: started.printed() is not None and started.process.poll() is not None, LONG_S)
        seconds = time.monotonic() - began
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.wait(LONG_S)
    record_property("seconds", round(seconds, 2))
    assert was_running, started.printed()
    assert seconds <= allowed_s()
    until(lambda: not started.processes())
    assert not (left := started.remains()), left
    text = started.printed()
    assert "Traceback" not in text, text
    assert "Exception ignored" not in text, text
    if way == "closed terminal":
        return
    if phase == "first moment" and not text:
        assert started.process.returncode == -int(WAYS[way][0] or 0), "a signal before Python runs"
    else:
        assert sum(text.count(sentence) for sentence in SENTENCES) == 1, text
        expected = 0 if SENTENCES[1] in text else 128 + int(WAYS[way][0] or 0)
        assert started.process.returncode == expected, f"exit code {started.process.returncode}: {text}"
