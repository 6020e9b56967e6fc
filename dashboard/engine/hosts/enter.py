"""The command that opens a shell as root on a private host (``netmodes hosts enter``)."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import termios
import tty
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

from dashboard.engine.hosts.limits import shell_files
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.hosts.runtimes import SEARCH_PATH
from dashboard.engine.hosts.shell import HostShell, open_terminal
from dashboard.engine.hosts.syscall_filter import Scope, loader

#: bash if the host has one, else sh; without a terminal it reads its commands from standard input.
_SHELL = "if command -v bash >/dev/null; then exec bash --norc; fi; exec sh"
#: Enters the cgroups of the files before --, and becomes the command after it.
_ENTER_CGROUPS = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit; shift; done; shift; exec "$@"'
_CHUNK = 65536
#: The kernel returns at most 4,096 bytes of a pty at once, and buffers about 64 KiB.
_LAST_READS = 32


def limited_command(host: PrivateHost, command: Sequence[str]) -> list[str]:
    """Returns the command ``sh …`` that enters the host's cgroups, so that the host's limits apply to it, and becomes
    ``command``."""
    return ["sh", "-c", _ENTER_CGROUPS, "sh", *shell_files(host.name), "--", *command]


def enter_command(host: PrivateHost) -> list[str]:
    """Returns the command that opens the shell, a ``limited_command``. With nsenter(1) it enters the namespaces of the
    host's engine that differ from the machine's. If the host is in a user namespace, the command also loads the seccomp
    filter."""
    more = ["--user", "--pid", "--ipc", "--cgroup"] if host.owner else []
    command = ["nsenter", f"--target={host.pid}", *more, "--net", "--mount", "--uts", "--", "sh", "-c", _SHELL]
    return limited_command(host, [*(loader(Scope.HOST) if host.owner else ()), *command])


def enter_environment(host: PrivateHost, environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of the shell, in which ``docker`` reaches the host's engine and the prompt shows the
    host's name. HOME, LANG and TERM come from ``environment``."""
    kept = {name: environment[name] for name in ("HOME", "LANG", "TERM") if name in environment}
    return {
        "HOME": "/root",
        **kept,
        "DOCKER_HOST": f"unix://{host.socket}",
        "PATH": SEARCH_PATH,
        "PS1": f"root@{host.name}:\\w# ",
    }


def run_shell(host: PrivateHost, environment: Mapping[str, str]) -> int:
    """Runs the shell of a host in a user namespace, and returns its exit status. Raises OSError if it does not start.

    Root of the host controls the shell. With a terminal of the machine they could read what is typed there later, and
    type commands themselves (TIOCSTI). So the shell runs in a session of its own. In place of each standard stream that
    is a terminal it gets a new terminal in the host. Its input and output are copied.
    """
    master, slave, _device = open_terminal(host)
    with ExitStack() as stack:
        stack.callback(os.close, slave)  # until the end: without it, reading fails while no process has it open
        try:
            os.set_blocking(master, False)
            terminal = _take_over_settings(slave, stack)
            session = ["setsid", "--ctty"] if os.isatty(0) else ["setsid"]
            streams = [slave if os.isatty(stream) else stream for stream in (0, 1, 2)]
            process = subprocess.Popen(
                [*session, *enter_command(host)],
                stdin=streams[0],
                stdout=streams[1],
                stderr=streams[2],
                env=enter_environment(host, environment),
            )
        except BaseException:
            os.close(master)
            raise
        shell = HostShell(process, master)
        try:
            if terminal is not None:
                _follow_size(terminal, shell, stack)
            _copy(shell, terminal)
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            shell.end()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _take_over_settings(slave: int, stack: ExitStack) -> int | None:
    """Gives the new terminal the settings of this process's terminal. If standard input is that terminal, switches it
    to raw mode until ``stack`` ends. Returns the stream to write to; None if no standard stream is a terminal."""
    terminal = next((stream for stream in (1, 2, 0) if os.isatty(stream)), None)
    if terminal is None:
        return None
    settings = termios.tcgetattr(terminal)
    if os.isatty(0):
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        stack.callback(_restore, settings)
        tty.setraw(0, termios.TCSADRAIN)
    else:  # this process's terminal continues to translate the ends of lines
        settings[1] &= ~termios.OPOST
        termios.tcsetattr(slave, termios.TCSANOW, settings)
    return terminal


def _restore(settings: list[int | list[bytes | int]]) -> None:
    with suppress(termios.error):  # the terminal has been closed
        termios.tcsetattr(0, termios.TCSADRAIN, settings)


def _follow_size(terminal: int, shell: HostShell, stack: ExitStack) -> None:
    """Gives the shell the size of this process's terminal, now and whenever it changes until ``stack`` ends."""

    def resize(*_signal: object) -> None:
        with suppress(OSError):
            shell.resize(*os.get_terminal_size(terminal))

    stack.callback(signal.signal, signal.SIGWINCH, signal.signal(signal.SIGWINCH, resize))
    resize()


def _copy(shell: HostShell, terminal: int | None) -> None:
    """Copies standard input, if it is a terminal, to the shell, and output of the shell to ``terminal``. Returns when
    the shell has ended or the terminal is closed."""
    end = os.pidfd_open(shell.pid)
    keys, is_over = b"", False
    with suppress(OSError):  # the terminal has been closed
        while not is_over:
            keyboard = [0] if os.isatty(0) and not keys else []
            readable, _, _ = select.select([shell.fd, end, *keyboard], [shell.fd] if keys else [], [])
            if 0 in readable and not (keys := os.read(0, _CHUNK)):
                break
            if keys:
                keys = keys[shell.write(keys) :]
            is_over = end in readable
            # A program in the background may write for ever.
            for _ in range(_LAST_READS if is_over else 1):
                _write(terminal, shell.read(_CHUNK) or b"")
    os.close(end)


def _write(terminal: int | None, data: bytes) -> None:
    while data and terminal is not None:
        data = data[os.write(terminal, data) :]
