"""The targets of attempts to leave a private host: files, processes, devices and sockets on the machine that the tests
make and remove. Nothing of the machine itself is touched."""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from dashboard.engine.hosts.private_host import PrivateHost
from tests.support.escapes.machine import CGROUPS, LIBC, ORIGINS, Machine, Page, Pages, checked, in_namespace, sniffer
from tests.support.polling import until

ADD_KEY, KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
USER_KEYRING, UNLINK = -4, 9


@contextmanager
def machine(folder: Path, neighbour: PrivateHost, neighbours: dict[str, int]) -> Iterator[Machine]:
    """The targets, removed at the end. ``neighbours`` are pids in containers of the neighbour, by
    ``neighbour ORIGIN``."""
    folder.mkdir()
    made = Machine(folder, neighbour, neighbours=neighbours)
    with ExitStack() as stack:
        stack.callback(_remove_remains, made)
        for build in (_files, _processes, _kernel, _sockets):
            build(made, stack)
        yield made


def _files(made: Machine, stack: ExitStack) -> None:
    """Makes a secret, a database, a disk, a node, and a program."""
    (made.folder / "secret.key").write_text(made.secret)
    (made.folder / "secret.key").chmod(0o600)
    (made.folder / "db.sqlite3").write_text(made.secret)
    (made.folder / "content").mkdir()
    (made.folder / "content" / "secret.key").write_text(made.secret)
    subprocess.run(["mke2fs", "-q", "-d", made.folder / "content", made.image, "1m"], check=True)
    found = subprocess.run(["losetup", "--find", "--show", made.image], check=True, capture_output=True, text=True)
    made.device = Path(found.stdout.strip())
    stack.callback(lambda: subprocess.run(["losetup", "--detach", made.device], check=True))
    number = made.device.stat().st_rdev
    made.disk = (os.major(number), os.minor(number))
    os.mknod(made.node, 0o20600, os.makedev(1, 3))
    stack.callback(made.node.unlink)
    made.program.write_text("a program\n")
    stack.callback(made.program.unlink)


def _processes(made: Machine, stack: ExitStack) -> None:
    """Starts processes to end, to trace, to read, and to take the host name from."""
    names = ["environment", *(f"{what} {origin}" for what in ("kill", "ptrace", "uts") for origin in ORIGINS)]
    names.append("typed kill")
    for name in names:
        tool = ["unshare", "--uts", "--"] if name.startswith("uts") else []
        process = subprocess.Popen(
            [*tool, "sleep", "1000"], env={"PATH": os.defpath, "SECRET": made.secret}, start_new_session=True, cwd="/"
        )
        made.processes[name] = process
        stack.callback(process.wait)
        stack.callback(process.kill)
    own = Path("/proc/self/ns/uts").readlink()
    for origin in ORIGINS:
        place = Path(f"/proc/{made.processes[f'uts {origin}'].pid}/ns/uts")
        until(lambda place=place: place.readlink() != own)  # type: ignore[misc]
    _hierarchy(made, stack)
    fields = Path(f"/proc/{made.processes['environment'].pid}/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[47]), int(fields[48])
    with Path(f"/proc/{made.processes['environment'].pid}/mem").open("rb") as memory:
        memory.seek(start)
        made.address = start + memory.read(end - start).index(made.secret.encode())


def _hierarchy(made: Machine, stack: ExitStack) -> None:
    """Makes a hierarchy of cgroups with a release agent, in a mount namespace of its own: other namespaces would keep
    copies."""
    place = made.folder / "hierarchy"
    place.mkdir()
    command = (
        "mount -t tmpfs hierarchy $1 && mkdir $1/h && mount -t cgroup -o none,name=$0 cgroup $1/h && exec sleep 1000"
    )
    process = subprocess.Popen(["unshare", "--mount", "sh", "-c", command, made.name, place], start_new_session=True)
    stack.callback(process.wait)
    stack.callback(process.kill)
    made.hierarchy = Path(f"/proc/{process.pid}/root{place}/h")
    until((made.hierarchy / "release_agent").exists)


def _kernel(made: Machine, stack: ExitStack) -> None:
    """Makes a key, a segment of shared memory, a handle of a file, and a clock."""
    content = made.secret.encode()
    call = LIBC.syscall
    arguments = (b"user", made.name.encode(), content, ctypes.c_long(len(content)), ctypes.c_long(USER_KEYRING))
    made.key = checked(call(ctypes.c_long(ADD_KEY), *arguments))
    unlink = (ctypes.c_long(one) for one in (KEYCTL, UNLINK, made.key, USER_KEYRING))
    stack.callback(call, *unlink)

    LIBC.shmat.restype = ctypes.c_void_p
    number = secrets.randbits(30) | 1
    segment = checked(LIBC.shmget(number, 4096, 0o1600))
    stack.callback(LIBC.shmctl, segment, 0, None)
    place = LIBC.shmat(segment, None, 0)
    ctypes.memmove(place, content, len(content))
    LIBC.shmdt(ctypes.c_void_p(place))
    made.shm = (number, segment)

    handle = ctypes.create_string_buffer((128).to_bytes(4, "little") + bytes(132))
    mount = ctypes.c_int()
    path = str(made.folder / "secret.key").encode()
    checked(LIBC.name_to_handle_at(-100, path, handle, ctypes.byref(mount), 0))
    count, kind = (int.from_bytes(handle.raw[at : at + 4], "little") for at in (0, 4))
    made.handle = (kind, handle.raw[8 : 8 + count])
    stack.callback(lambda: list(map(os.close, made.clocks)))


def _sockets(made: Machine, stack: ExitStack) -> None:
    """Opens a page, a log, an engine, a terminal, and sniffers on the links of the machine and of the neighbour."""
    made.pages = Pages(("127.0.0.1", 0), Page)
    made.pages.requested = []
    thread = threading.Thread(target=made.pages.serve_forever, daemon=True)
    thread.start()
    stack.callback(thread.join)
    stack.callback(made.pages.server_close)
    stack.callback(made.pages.shutdown)

    abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
    abstract.bind("\0" + made.name)
    abstract.listen()
    answering = threading.Thread(target=_answer, args=(abstract, made.secret), daemon=True)
    answering.start()
    stack.callback(answering.join)
    stack.callback(lambda: abstract.shutdown(socket.SHUT_RDWR))

    made.log = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    made.log.bind(str(made.folder / "log.sock"))
    made.log.setblocking(False)
    made.engine = stack.enter_context(socket.socket(socket.AF_UNIX))
    made.engine.bind(str(made.folder / "docker.sock"))
    made.engine.listen()
    made.engine.setblocking(False)

    made.terminal, other = os.openpty()
    made.terminal_path = os.ttyname(other)
    os.set_blocking(made.terminal, False)
    stack.callback(os.close, made.terminal)
    stack.callback(os.close, other)

    made.sniffers = [stack.enter_context(sniffer())]
    made.sniffers.append(stack.enter_context(in_namespace(f"/proc/{made.neighbour.pid}/ns/net", sniffer)))


def _remove_remains(made: Machine) -> None:
    """Removes what successful attempts left: mounts, and cgroups with their processes."""
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        point = line.split()[4]
        if point.startswith(f"{made.folder}/") or made.name in point:
            subprocess.run(["umount", point], check=True)

    def are_gone() -> bool:
        tops = [*CGROUPS.glob(f"*/{made.name}*"), *CGROUPS.glob(f"{made.name}*")]
        folders = [folder for top in tops for folder in (top, *top.rglob("*")) if folder.is_dir()]
        for folder in sorted(folders, reverse=True):
            with suppress(OSError):
                for pid in (folder / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
                folder.rmdir()
        return not folders

    until(are_gone)


def _answer(listening: socket.socket, secret: str) -> None:
    """Gives the secret to everyone who connects."""
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.sendall(secret.encode())
