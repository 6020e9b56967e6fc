"""Runs inside a private host, in a terminal or a container: tries system calls that would reach the machine.

It prints one line of JSON for each attempt, keeps every descriptor that it obtained open, and waits until it is killed,
so that a test can examine it from outside. It changes nothing of the machine: files are opened, never written, and
calls have arguments that fail after the kernel has checked the permission. It needs Python alone.

Arguments: the origin, and a JSON object with what to aim at (``Machine.aims``)."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import platform
import resource
import signal
import socket
import stat
import struct
import sys
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ORIGIN = sys.argv[1]
AIM: dict[str, Any] = json.loads(sys.argv[2])
#: Numbers of system calls without a wrapper in the C library.
NUMBERS = {
    "x86_64": {"keyctl": 250, "bpf": 321, "userfaultfd": 323, "perf_event_open": 298, "finit_module": 313,
               "kexec_load": 246, "reboot": 169, "syslog": 103, "pidfd_getfd": 438},
    "aarch64": {"keyctl": 219, "bpf": 280, "userfaultfd": 282, "perf_event_open": 241, "finit_module": 273,
                "kexec_load": 104, "reboot": 142, "syslog": 116, "pidfd_getfd": 438},
}[platform.machine()]  # fmt: skip
#: Devices by number (Documentation/admin-guide/devices.txt).
DEVICES = {"kmsg": (1, 11), "mem": (1, 1), "loop-control": (10, 237), "fuse": (10, 229), "kvm": (10, 232)}
#: Settings of namespaces that a host has for itself: network, IPC, UTS, user, pid.
OWN_SETTINGS = (
    "/proc/sys/net", "/proc/sys/user", "/proc/sys/fs/mqueue", "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/domainname",
    "/proc/sys/kernel/sem", "/proc/sys/kernel/shm", "/proc/sys/kernel/msg", "/proc/sys/kernel/auto_msgmni",
    "/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/pid_max",
)  # fmt: skip
NEW_USER_NAMESPACE = 0x10000000
LIBC = ctypes.CDLL(None, use_errno=True)
HELD: list[Any] = []
MAX_HELD = 100


def checked(result: int) -> int:
    """The result of a call; OSError if it is -1."""
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
    return int(result)


def call(name: str, *arguments: Any) -> int:
    """A system call; OSError if it fails."""
    longs = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return checked(LIBC.syscall(ctypes.c_long(NUMBERS[name]), *longs))


def in_child(work: Callable[[], object]) -> str:
    """What ``work`` returns in a child process, which may change its namespaces; OSError if it fails there."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        try:
            os.write(writer, f"0 {work()}".encode())
        except OSError as error:
            os.write(writer, f"{error.errno or 0}".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        number, _, text = answer.read().partition(" ")
    os.waitpid(child, 0)
    if number != "0":
        raise OSError(int(number or errno.ETIMEDOUT), "")
    return text


def held(path: str, flags: int) -> int:
    """Opens a file and keeps it open."""
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    HELD.append(fd)
    return fd


def first_that_works(tries: list[Callable[[], object]]) -> object:
    """The first result of a call that does not fail; the last OSError if all fail."""
    last: OSError | None = None
    for one in tries:
        try:
            return one()
        except OSError as error:
            last = error
    raise last or OSError(errno.ENOENT, "")


def opened_for_writing(folders: list[str], without: tuple[str, ...]) -> str:
    """States how many files below the folders can be opened for writing. They stay open, and nothing is written."""
    done, refused = 0, 0
    for folder in folders:
        for place, below, files in os.walk(folder):
            below[:] = [one for one in below if not f"{place}/{one}".startswith(without)]
            for file in files:
                if f"{place}/{file}".startswith(without):
                    continue
                try:
                    held(f"{place}/{file}", os.O_WRONLY)
                    done += 1
                    if done > MAX_HELD:
                        os.close(HELD.pop())
                except OSError:
                    refused += 1
    if not done:
        raise OSError(errno.EACCES if refused else errno.ENOENT, "")
    return f"{done} opened, {refused} refused"


def device(name: str, kind: int, number: tuple[int, int]) -> object:
    """Opens a device: a node that is made with its number, otherwise the node of this name in /dev."""

    def own_node() -> int:
        node = f"/tmp/node-{name}"
        try:
            os.mknod(node, kind | 0o600, os.makedev(*number))
            return held(node, os.O_RDONLY)
        finally:
            Path(node).unlink(missing_ok=True)

    fd = first_that_works([own_node, lambda: held(f"/dev/{name}", os.O_RDONLY)])
    assert isinstance(fd, int)
    # From the content of a disk, only the secret is printed.
    content = os.read(fd, 1 << 20).decode("latin-1") if stat.S_ISBLK(kind) else "open"
    return content[content.index("secret-") :][:40] if "secret-" in content else content[:40]


def by_handle() -> str:
    """Opens a file of the machine by its handle, through each mount of this namespace (open_by_handle_at(2))."""
    raw = bytes.fromhex(AIM["handle"])
    handle = ctypes.create_string_buffer(struct.pack("Ii", len(raw), AIM["handle_type"]) + raw)

    def through(mount: str) -> str:
        fd = checked(LIBC.open_by_handle_at(held(mount, os.O_RDONLY), handle, os.O_RDONLY))
        HELD.append(fd)
        return os.read(fd, 4096).decode()

    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return str(first_that_works([lambda mount=mount: through(mount) for mount in mounts]))  # type: ignore[misc]


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text()


def memory_of(pid: int) -> str:
    return os.pread(os.open(f"/proc/{pid}/mem", os.O_RDONLY), 23, AIM["address"]).decode()


def traced(pid: int) -> str:
    """Attaches without stopping the process: PTRACE_SEIZE."""
    checked(LIBC.ptrace(ctypes.c_long(0x4206), ctypes.c_long(pid), None, None))
    return "attached"


def with_namespace_of(pid: int, name: str, work: Callable[[], object]) -> str:
    def enter() -> object:
        fd = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY)
        checked(LIBC.setns(fd, 0))
        return work()

    return in_child(enter)


def page(address: str, path: str) -> str:
    with urllib.request.urlopen(f"http://{address}/{path}", timeout=2) as answer:
        return str(answer.read().decode())


def stream(name: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        connection.connect(name)
        return connection.recv(100).decode()


def key() -> str:
    """Reads a key of the machine by number, or finds it in the keyring of the user (keyctl(2))."""
    buffer = ctypes.create_string_buffer(200)
    name = ctypes.create_string_buffer(AIM["key_name"].encode())

    def read(number: int) -> str:
        count = call("keyctl", 11, number, buffer, len(buffer))
        return buffer.raw[:count].decode()

    def by_the_keyring() -> str:
        call("keyctl", 8, -4, -3)  # links the keyring of the user to that of the session, to possess its keys
        return read(call("keyctl", 10, -4, ctypes.c_char_p(b"user"), name, 0))

    return str(first_that_works([lambda: read(AIM["key"]), by_the_keyring]))


def shared_memory() -> str:
    """Attaches a System V segment of the machine by key or number, and reads it."""
    LIBC.shmat.restype = ctypes.c_void_p

    def attach(number: int) -> str:
        address = LIBC.shmat(number, None, 0o10000)
        if address == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "")
        return ctypes.string_at(address, 64).split(b"\0")[0].decode()

    found = first_that_works(
        [lambda: attach(checked(LIBC.shmget(AIM["shm_key"], 0, 0))), lambda: attach(AIM["shm_id"])]
    )
    return str(found)


def map_of_bpf() -> str:
    """Creates a map: BPF_MAP_CREATE, an array of one number."""
    attributes = ctypes.create_string_buffer(struct.pack("IIIII", 2, 4, 8, 1, 0) + bytes(100))
    HELD.append(call("bpf", 0, attributes, 72))
    return "created"


def faults() -> str:
    """Handles page faults, also those of the kernel (userfaultfd(2))."""
    HELD.append(first_that_works([lambda: call("userfaultfd", 0), lambda: call("userfaultfd", 1)]))
    return "open"


def counters() -> str:
    """Counts what happens on a processor in every process: perf_event_open with pid -1."""
    attributes = ctypes.create_string_buffer(struct.pack("IIQ", 1, 112, 0) + bytes(96))
    HELD.append(call("perf_event_open", attributes, -1, 0, -1, 8))
    return "open"


def vsock() -> str:
    """A socket to the hypervisor; it is not connected."""
    HELD.append(socket.socket(40, socket.SOCK_STREAM))
    return "open"


def frames() -> str:
    """Sends a frame to everyone on every link, with a text that only this attempt has."""
    sent = []
    for _, name in socket.if_nameindex():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
            link.bind((name, 0))
            link.send(b"\xff" * 6 + b"\x02\0\0\0\0\x01" + b"\x88\xb5" + AIM["frame"].encode() + ORIGIN.encode())
            sent.append(name)
    return " ".join(sent)


def listening() -> str:
    """Receives every frame on every link of its network."""
    HELD.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5)))
    return "open"


def clock() -> str:
    """Sets the clock to the present time."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    checked(LIBC.clock_settime(0, ctypes.create_string_buffer(struct.pack("qq", seconds, nanoseconds))))
    return "set"


def module() -> str:
    """Loads an empty module."""
    call("finit_module", os.memfd_create("module"), ctypes.c_char_p(b""), 0)
    return "loaded"


def mode_of_a_device() -> str:
    """Changes the mode of a device to what it is, which sets the time of its last change."""
    path = Path("/dev/full")
    path.chmod(stat.S_IMODE(path.stat().st_mode))
    return "changed"


def all_open_files() -> str:
    """Raises the hard limit of open files; returns the new one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard + 1))
    except ValueError:  # what Python makes of EPERM
        raise OSError(errno.EPERM, "") from None
    return str(hard + 1)


def first_to_live() -> str:
    """Asks to be killed last when memory runs out (proc_pid_oom_score_adj(5))."""
    Path("/proc/self/oom_score_adj").write_text("-900")
    return "-900"


def priority() -> str:
    """Sets a niceness with which it runs before ordinary processes of the machine."""
    os.setpriority(os.PRIO_PROCESS, 0, -10)
    return "-10"


def attach_loop() -> str:
    """Names a file of its own as the disk of a loop device; the device is released at once."""
    file = os.memfd_create("disk")
    os.ftruncate(file, 4096)
    control = held("/dev/loop-control", os.O_RDWR)
    disk = held(f"/dev/loop{fcntl.ioctl(control, 0x4C82)}", os.O_RDWR)
    fcntl.ioctl(disk, 0x4C00, file)
    fcntl.ioctl(disk, 0x4C01)
    return "attached"


def attempts() -> dict[str, Callable[[], object]]:
    """Every attempt by name."""
    pids = AIM["pids"]
    root = AIM["folder"]
    return {
        "settings of the kernel": lambda: opened_for_writing(["/proc/sys"], OWN_SETTINGS),
        "settings in /sys": lambda: opened_for_writing(
            ["/sys/kernel/mm", "/sys/power", "/sys/module", "/sys/kernel/slab"], ()
        ),
        "disk": lambda: device("netmodes-disk", stat.S_IFBLK, tuple(AIM["disk"])),
        "own disk": lambda: device("netmodes-own-disk", stat.S_IFBLK, tuple(AIM["own_disk"])),
        **{f"device {name}": partial(device, name, stat.S_IFCHR, number) for name, number in DEVICES.items()},
        "kill": lambda: os.kill(pids[f"kill {ORIGIN}"], signal.SIGKILL),
        "kill of a neighbour": lambda: os.kill(pids[f"neighbour {ORIGIN}"], signal.SIGKILL),
        "ptrace": lambda: traced(pids[f"ptrace {ORIGIN}"]),
        "environment": lambda: environment_of(pids["environment"]),
        "memory": lambda: memory_of(pids["environment"]),
        "root of process 1": lambda: Path(f"/proc/1/root{root}/secret.key").read_text(),
        "root of a process": lambda: Path(f"/proc/{pids['environment']}/root{root}/secret.key").read_text(),
        "network namespace": lambda: with_namespace_of(
            pids["environment"], "net", lambda: page(AIM["page"], f"{ORIGIN}-namespace")
        ),
        "host name": lambda: with_namespace_of(
            pids[f"uts {ORIGIN}"], "uts", lambda: socket.sethostname(f"taken-{ORIGIN}")
        ),
        "handle": by_handle,
        "module": module,
        "bpf": map_of_bpf,
        "key": key,
        "vsock": vsock,
        "userfaultfd": faults,
        "perf": counters,
        "frames": frames,
        "listening": listening,
        "page": lambda: first_that_works(
            [partial(page, one, f"{ORIGIN}-direct") for one in (AIM["page"], *AIM["pages"])]
        ),
        "abstract socket": lambda: stream("\0" + AIM["abstract"]),
        "abstract socket in its namespace": lambda: with_namespace_of(
            pids["environment"], "net", lambda: stream("\0" + AIM["abstract"])
        ),
        "clock": clock,
        "swap": lambda: checked(LIBC.swapon(b"/nonexistent/swap", 0)),
        "reboot": lambda: call("reboot", 1, 2, 3, 0),
        "kexec": lambda: call("kexec_load", 0, 0, 0, 0xFFFF),
        "kernel log": lambda: call("syslog", 10, 0, 0),
        "shared memory": shared_memory,
        "mode of a device": mode_of_a_device,
        "open files": all_open_files,
        "out of memory": first_to_live,
        "priority": priority,
        "loop device": attach_loop,
        "user namespace": lambda: in_child(lambda: checked(LIBC.unshare(NEW_USER_NAMESPACE))),
    }


def report(name: str, result: str) -> None:
    """Prints the result of an attempt."""
    sys.stdout.write(json.dumps({"name": name, "result": result}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Runs all attempts, prints the results and waits."""
    for name, attempt in attempts().items():
        signal.alarm(20)
        try:
            result = f"done: {attempt()}"
        except OSError as error:
            reason = getattr(error, "reason", error)
            number = getattr(reason, "errno", None) or 0
            result = f"refused: {errno.errorcode.get(number, str(error))}"
        report(name, result)
    signal.alarm(0)
    report("end", "")
    signal.pause()


main()
