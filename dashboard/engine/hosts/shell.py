"""Starts a shell on a private host: a program in the host's namespaces, connected through a pty.

The shell has a file system of its own (``shell.sh``) with tools, the socket of the host's engine and an empty home. It
has the host's network and name, but process ids, mounts and IPC of its own. It has few capabilities, and the host's
limits apply.

If the host has a user namespace, the shell runs in it, with a seccomp filter. The shell's user is then at most root of
the host. On other hosts, the user can become root of the machine through the engine, if the engine runs as root.

All functions block, except reading and writing. Sources: pty(7), tty_ioctl(4), pid_namespaces(7).
"""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from dashboard.engine.hosts import syscall_filter
from dashboard.engine.hosts.limits import shell_files
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.hosts.runtimes import SEARCH_PATH
from dashboard.engine.hosts.syscall_filter import Scope

SCRIPT = Path(__file__).with_name("shell.sh")
#: Opens the other end of the pty (ioctl_tty(2)); Python has no name for it.
TIOCGPTPEER = 0x5441
INTERRUPT = b"\x03"
#: The line discipline holds 4,096 bytes; later bytes, even an interrupt, wait in front of it.
UNREAD_BYTES = 2048
#: An option of nsenter(1) and the name of the namespace in /proc/PID/ns.
NAMES = {"user": "user", "net": "net", "uts": "uts", "mount": "mnt"}
FLAGS = os.O_RDONLY | os.O_CLOEXEC
#: An empty folder in the file system of a host in a user namespace.
EMPTY_FOLDER = "/mnt"
#: The multiplexer of pseudo-terminals (devices.txt), and ioctls for which Python has no name.
PTMX = os.makedev(5, 2)
TIOCSPTLCK = 0x40045431
TIOCGPTN = 0x80045430
TTY_GROUP = 5
NO_TERMINAL = "the host or the machine has no free pseudo-terminal (kernel.pty.max)"
END_S = 5.0
OVER_S = 1.0


class HostShellError(Exception):
    """A shell cannot be started on the host; ``str()`` tells why."""


class HostShell:
    """A running shell. ``fd`` is the non-blocking descriptor of this process's end of the pty; -1 after ``end``."""

    def __init__(self, process: subprocess.Popen[bytes], fd: int) -> None:
        self._process = process
        self.fd = fd
        self._is_over = False

    @property
    def pid(self) -> int:
        """The pid of unshare(1), the parent of the shell. When unshare ends, all programs of the shell end."""
        return self._process.pid

    def read(self, most: int) -> bytes | None:
        """Returns the available output, at most ``most`` bytes; None if no output is available yet, empty after the end
        of the shell."""
        try:
            return os.read(self.fd, most)
        except BlockingIOError:
            return None
        except OSError:  # EIO: the other end is closed
            self._is_over = True
            return b""

    def write(self, data: bytes) -> int:
        """Writes input. Returns the number of accepted bytes, 0 if none is accepted now. Raises OSError after the end
        of the shell."""
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0

    def resize(self, cols: int, rows: int) -> None:
        """Sets the window size in characters; the foreground process receives SIGWINCH."""
        with suppress(OSError):
            set_size(self.fd, cols, rows)

    def interrupt(self) -> None:
        """Sends Ctrl-C. First drops input that would delay it. This is all input that has not reached the line
        discipline. If the program has more than UNREAD_BYTES to read, that input is dropped, too."""
        with suppress(OSError):
            other = fcntl.ioctl(self.fd, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
            try:
                if termios.tcgetattr(self.fd)[3] & termios.ISIG:
                    termios.tcflush(self.fd, termios.TCOFLUSH)  # first, or it refills the next queue
                    if _unread(other) > UNREAD_BYTES:
                        termios.tcflush(other, termios.TCIFLUSH)
            finally:
                os.close(other)
            self.write(INTERRUPT)

    def end(self) -> int | None:
        """Kills the processes of the shell that still run, and closes ``fd``. Returns the exit status; None if the
        shell was killed, or if ``end`` has been called before."""
        if self.fd < 0:
            return None
        status = self._status(OVER_S if self._is_over else 0.0)  # it closes the device just before it ends
        if self._process.poll() is None:
            self._process.kill()  # its child is process 1 of a pid namespace and dies with it (--kill-child)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        os.close(self.fd)
        self.fd = -1
        return status

    def _status(self, within_s: float) -> int | None:
        """Returns the exit status; waits for it at most ``within_s``. None if the shell still runs or was killed. Also
        None if it was reaped when the host was stopped: Popen would then report 0."""
        end = time.monotonic() + within_s
        while True:
            try:
                found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return None
            if found is not None:
                exited = found.si_code == os.CLD_EXITED and found.si_status != 128 + signal.SIGKILL
                return found.si_status if exited else None
            if time.monotonic() >= end:
                return None
            time.sleep(0.01)


def _unread(fd: int) -> int:
    """Returns the number of input bytes that the program has not read yet (TIOCINQ). ``fd`` is the program's end of the
    pty."""
    return int(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0])


def set_size(fd: int, cols: int, rows: int) -> None:
    """Sets the size of the terminal in characters, with TIOCSWINSZ (tty_ioctl(4))."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


def open_terminal(host: PrivateHost) -> tuple[int, int, str]:
    """Opens a new pty. Returns the descriptor of this process's end, that of the shell's end, and the path of the
    shell's end as ``shell.sh`` sees it.

    If the host has a user namespace, the pty is created in the host's /dev/pts, because a device of the machine would
    not be visible there. Raises OSError.
    """
    try:
        return _open_terminal(host)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OSError(errno.ENOSPC, NO_TERMINAL) from error


def _open_terminal(host: PrivateHost) -> tuple[int, int, str]:
    if not host.owner:
        master, slave = pty.openpty()
        return master, slave, os.ttyname(slave)
    with ExitStack() as stack:
        place = -1
        # Root of the host may have replaced any of these by a link, which would lead into the machine's file system.
        for name in (f"/proc/{host.pid}/root", "dev", "pts"):
            follow = 0 if place < 0 else os.O_NOFOLLOW
            place = os.open(name, os.O_DIRECTORY | FLAGS | follow, dir_fd=None if place < 0 else place)
            stack.callback(os.close, place)
        master = os.open("ptmx", os.O_RDWR | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place)
    try:
        _require_ptmx(master)
        fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
        number = struct.unpack("i", fcntl.ioctl(master, TIOCGPTN, bytes(4)))[0]
        slave = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        os.fchown(slave, host.owner, host.owner + TTY_GROUP)
    except OSError:
        os.close(master)
        raise
    return master, slave, f"/dev/pts/{number}"


def _require_ptmx(fd: int) -> None:
    if os.fstat(fd).st_rdev != PTMX:
        raise OSError(errno.ENOTTY, "the host's /dev/pts/ptmx is not that device")


def open_shell(
    host: PrivateHost,
    cols: int,
    rows: int,
    *,
    greeting: str = "",
    names: Path | None = None,
    hidden: Path | None = None,
) -> HostShell:
    """Starts a shell on the host, in a terminal of ``cols`` by ``rows`` characters.

    The shell prints ``greeting`` first. ``names`` is the path of a unix socket. On this socket the lab answers commands
    such as ``netstat -p``, because the shell does not see the host's processes. ``hidden`` is a folder that the shell
    must not see. Raises HostShellError if the host does not run or the shell cannot be started.
    """
    with ExitStack() as stack:
        try:
            kinds = ("user", "net", "uts", "mount") if host.owner else ("net", "uts")
            spaces = {kind: os.open(f"/proc/{host.pid}/ns/{NAMES[kind]}", FLAGS) for kind in kinds}
        except OSError as error:
            raise HostShellError("The private host is not running. Start it first.") from error
        for fd in spaces.values():
            stack.callback(os.close, fd)
        files = shell_files(host.name)
        if not host.is_running() or not files:  # checked after opening: the descriptors are this process's
            raise HostShellError("The private host is not running. Start it first.")
        try:
            master, slave, device = open_terminal(host)
        except OSError as error:
            raise HostShellError(f"The shell cannot be started: {error.strerror or error}.") from error
        stack.callback(os.close, slave)
        try:
            root, etc = (EMPTY_FOLDER, "/etc") if host.owner else (host.folder / "shell", host.folder / "etc")
            if not host.owner:
                (host.folder / "shell").mkdir(exist_ok=True)
            set_size(master, cols, rows)
            os.set_blocking(master, False)
            seen = [root, host.socket, etc, device, names or "", hidden or "", greeting]
            enter = " ".join(f"{name}={fd}" for name, fd in spaces.items())
            filtered = syscall_filter.loader(Scope.TERMINAL) if host.owner else []
            command = [*filtered, "/bin/sh", SCRIPT, "enter", enter, *seen, "--", *files]
            process = subprocess.Popen(
                [str(one) for one in command],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                pass_fds=tuple(spaces.values()),
                start_new_session=True,
                cwd="/",
                env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"},
            )
        except OSError as error:
            os.close(master)
            raise HostShellError(f"The shell cannot be started: {error.strerror or error}.") from error
    return HostShell(process, master)
