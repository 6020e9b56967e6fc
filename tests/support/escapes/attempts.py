"""Attempts to leave a private host, as root in a participant's terminal and with the docker command there.

Each attempt states what it must not reach, and how a test detects from outside whether it did. ``privileged`` states
whether it succeeds with the runtime ``privileged``, where root in a host is root on the machine, which proves that it
can succeed. None: this depends on the machine (a kernel without modules, kexec or /dev/mem; tests without
CAP_SYS_RESOURCE)."""

from __future__ import annotations

import os
import resource
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from dashboard.engine.hosts.limits import processes
from dashboard.engine.hosts.private_host import PrivateHost
from tests.support.escapes.machine import CGROUPS, LIBC, ORIGINS, SPOKEN, Machine, checked, disk_of

#: Lines of a terminal: ``# NAME | what it must not reach | whether it succeeds with privileged``, then the line.
TYPED = Path(__file__).with_name("typed.txt")
AF_VSOCK = 40
#: The kernel's answers to a process without the permission, or if the kernel was built without the call.
REFUSED = {"refused: EPERM", "refused: EACCES", "refused: ENOSYS"}
KNOWN = {"yes": True, "no": False, "depends": None}


@dataclass(frozen=True, slots=True)
class Descriptor:
    """An open file: its target, device number, kind of file system, and whether it can be written."""

    target: str
    device: int
    kind: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """The machine after all attempts on ``host``. ``output`` is what each attempt printed, by its name; ``probes`` are
    the processes of the probe as the machine sees them, by origin; ``before`` and ``after`` hold values of the
    machine."""

    machine: Machine
    host: PrivateHost
    output: Mapping[str, str]
    probes: Mapping[str, int]
    before: Mapping[str, object]
    after: Mapping[str, object]

    def descriptors(self, origin: str) -> list[Descriptor]:
        """The files that a probe holds open, as the machine sees them."""
        folder = Path(f"/proc/{self.probes[origin]}")
        mounts = [line.split() for line in (folder / "mountinfo").read_text().splitlines()]
        kinds = {words[0]: words[words.index("-") + 1] for words in mounts}
        found = []
        for fd in (folder / "fd").iterdir():
            with suppress(FileNotFoundError):
                info = dict(line.split(":\t", 1) for line in (folder / "fdinfo" / fd.name).read_text().splitlines()[:3])
                writable = bool(int(info["flags"], 8) & os.O_ACCMODE)
                kind = kinds.get(info["mnt_id"].strip(), "")
                found.append(Descriptor(str(fd.readlink()), fd.stat().st_rdev, kind, writable))
        return found

    def sockets(self, origin: str) -> Iterator[socket.socket]:
        """Copies of the sockets that a probe holds open (pidfd_getfd(2))."""
        with ExitStack() as stack:
            process = os.pidfd_open(self.probes[origin])
            stack.callback(os.close, process)
            for fd in Path(f"/proc/{self.probes[origin]}/fd").iterdir():
                if str(fd.readlink()).startswith("socket:"):
                    copy = checked(LIBC.syscall(438, process, int(fd.name), 0))
                    yield stack.enter_context(socket.socket(fileno=copy))

    def received(self, origin: str) -> bytes:
        """The frames that have reached a probe, apart from its own."""
        found = b""
        for one in self.sockets(origin):
            with suppress(BlockingIOError):
                while one.family == socket.AF_PACKET:
                    frame, address = one.recvfrom(2000, socket.MSG_DONTWAIT)
                    found += b"" if address[2] == socket.PACKET_OUTGOING else frame
        return found


#: (scene, origin, name of the attempt) → whether it has reached what it must not.
type Look = Callable[[Scene, str, str], bool]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt from a ``terminal`` or with ``docker``. ``line`` is typed in the terminal; without it the probe makes
    the attempt."""

    name: str
    origin: str
    must_not: str
    look: Look
    privileged: bool | None
    line: str = ""

    def reached(self, scene: Scene) -> bool:
        """Whether the attempt has reached what it must not, seen from outside."""
        return self.look(scene, self.origin, self.name)


def secret(scene: Scene, _origin: str, name: str) -> bool:
    """Whether the attempt has printed the secret, which only files, processes and sockets of the machine hold."""
    return scene.machine.secret in scene.output[name]


def changed(value: str) -> Look:
    """Checks whether a value of the machine differs from before."""

    def look(scene: Scene, origin: str, _name: str) -> bool:
        key = value.format(origin=origin)
        return scene.before[key] != scene.after[key]

    return look


def holds(value: str, content: Callable[[Scene, str], str]) -> Look:
    """Checks whether a value of the machine contains this text."""
    return lambda scene, origin, _name: content(scene, origin) in str(scene.after[value])


def opened(prefix: str) -> Look:
    """Checks whether the probe holds a descriptor whose target starts with ``prefix``."""
    return lambda scene, origin, _name: any(one.target.startswith(prefix) for one in scene.descriptors(origin))


def device(major: int, minor: int) -> Look:
    """Checks whether the probe has opened the device with this number."""
    number = os.makedev(major, minor)
    return lambda scene, origin, _name: any(one.device == number for one in scene.descriptors(origin))


def own_disk(scene: Scene, origin: str, _name: str) -> bool:
    """Whether the probe has opened the device of its host's disk."""
    number = os.makedev(*(disk_of(scene.host) or scene.machine.disk))
    return any(one.device == number for one in scene.descriptors(origin))


def on_disk(name: str, matches: Callable[[os.stat_result], bool]) -> Look:
    """Checks whether a file on the host's disk matches, as the machine sees it."""

    def look(scene: Scene, _origin: str, _name: str) -> bool:
        folder = Path(f"/proc/{scene.host.pid}/root{scene.host.data}")
        assert folder.is_dir()
        path = folder / name.format(name=scene.machine.name)
        return os.path.lexists(path) and matches(path.lstat())

    return look


def writable(kind: str) -> Look:
    """Checks whether the probe has opened a file of this kind of file system for writing."""
    return lambda scene, origin, _name: any(one.kind == kind and one.writable for one in scene.descriptors(origin))


def exists(file: str) -> Look:
    """Checks whether a file of the machine exists."""
    return lambda scene, _origin, _name: (scene.machine.folder / file).exists()


def is_mounted(place: Callable[[Scene], str]) -> Look:
    """Checks whether something is mounted on a folder of the machine."""
    return lambda scene, _origin, _name: f" {place(scene)} " in Path("/proc/self/mountinfo").read_text()


def has_cgroup(ending: str) -> Look:
    """Checks whether the machine has a cgroup with the name of the attempts."""

    def look(scene: Scene, _origin: str, _name: str) -> bool:
        name = f"{scene.machine.name}{ending}"
        return bool([*CGROUPS.glob(f"*/{name}"), *CGROUPS.glob(name)])

    return look


def permitted(scene: Scene, _origin: str, name: str) -> bool:
    """Whether the kernel has permitted a call without a visible effect. It checks the permission first, so any output
    outside ``REFUSED`` means that the caller has it."""
    return scene.output[name] not in REFUSED


def may_reboot(scene: Scene, origin: str, name: str) -> bool:
    """Whether the call is permitted in the machine's pid namespace: in another one it ends that namespace only."""
    return permitted(scene, origin, name) and scene.before["pid namespace"] == scene.before[f"pid namespace {origin}"]


def done(scene: Scene, _origin: str, name: str) -> bool:
    """Whether a call that leaves no trace was successful."""
    return scene.output[name].startswith("done")


def is_killed(name: str) -> Look:
    """Checks whether a process of the machine has ended."""
    return lambda scene, origin, _name: not scene.machine.is_alive(name.format(origin=origin))


def has_vsock(scene: Scene, origin: str, _name: str) -> bool:
    """Whether the probe has a socket to the hypervisor."""
    return AF_VSOCK in {int(one.family) for one in scene.sockets(origin)}


def has_more_files(scene: Scene, origin: str, name: str) -> bool:
    """Whether the limit of the probe's open files is the one that the probe wanted."""
    return scene.output[name] == f"done: {resource.prlimit(scene.probes[origin], resource.RLIMIT_NOFILE)[1]}"


#: The probe's attempts: name, what the attempt must not reach, the check from outside, and whether it succeeds with
#: ``privileged`` from a terminal and from a container.
PROBED: tuple[tuple[str, str, Look, str, str], ...] = (
    ("settings of the kernel", "files of /proc/sys for writing", writable("proc"), "no", "yes"),
    ("settings in /sys", "files of /sys for writing", writable("sysfs"), "no", "yes"),
    ("disk", "a disk of the machine, by the number of its device", secret, "no", "yes"),
    ("own disk", "the device of its own disk", own_disk, "no", "yes"),
    ("device kmsg", "the kernel's log device", device(1, 11), "no", "yes"),
    ("device mem", "the machine's memory", device(1, 1), "no", "depends"),
    ("device loop-control", "the control of loop devices", device(10, 237), "no", "yes"),
    ("device fuse", "the device of file systems in user space", device(10, 229), "no", "yes"),
    ("device kvm", "virtual machines", device(10, 232), "no", "depends"),
    ("kill", "a process of the machine", is_killed("kill {origin}"), "no", "yes"),
    ("kill of a neighbour", "a process on another host", changed("neighbour {origin}"), "no", "yes"),
    ("ptrace", "a process of the machine", changed("tracer {origin}"), "no", "yes"),
    ("environment", "the environment of a process of the machine", secret, "no", "yes"),
    ("memory", "the memory of a process of the machine", secret, "no", "yes"),
    ("root of process 1", "the machine's files through /proc/1/root", secret, "no", "depends"),
    ("root of a process", "the machine's files through /proc/PID/root", secret, "no", "yes"),
    ("network namespace", "the machine's loopback, through a process", changed("page {origin}-namespace"), "no", "yes"),
    ("host name", "the host name of another UTS namespace", changed("uts {origin}"), "no", "yes"),
    ("handle", "a file of the machine, by its handle", secret, "no", "yes"),
    ("module", "the kernel's modules", permitted, "no", "depends"),
    ("bpf", "maps and programs of BPF", opened("anon_inode:bpf"), "no", "yes"),
    ("key", "a key of the machine's user", secret, "yes", "yes"),
    ("vsock", "a socket to the hypervisor", has_vsock, "yes", "yes"),
    ("userfaultfd", "page faults of the kernel", opened("anon_inode:[userfaultfd]"), "yes", "yes"),
    ("perf", "counters of all processes", opened("anon_inode:[perf_event]"), "no", "yes"),
    (
        "frames",
        "a link of the machine or of another host",
        holds("frames", lambda s, o: s.machine.frame + o),
        "no",
        "no",
    ),
    ("listening", "frames on such a link", lambda scene, origin, _: SPOKEN in scene.received(origin), "no", "no"),
    ("page", "the page on the machine's loopback", changed("page {origin}-direct"), "no", "no"),
    ("abstract socket", "an abstract socket of the machine", secret, "no", "no"),
    ("abstract socket in its namespace", "an abstract socket of the machine", secret, "no", "yes"),
    ("clock", "the machine's clock", changed("clock {origin}"), "no", "yes"),
    ("swap", "the machine's swap", permitted, "no", "yes"),
    ("reboot", "the machine's power", may_reboot, "no", "yes"),
    ("kexec", "the machine's kernel", permitted, "no", "depends"),
    ("kernel log", "the kernel's messages", permitted, "depends", "yes"),
    ("shared memory", "a System V segment of the machine", secret, "no", "yes"),
    ("mode of a device", "nodes below the machine's /dev", changed("device {origin}"), "yes", "yes"),
    ("open files", "more open files than the limit", has_more_files, "no", "depends"),
    ("out of memory", "a place before others when memory runs out", changed("oom {origin}"), "no", "depends"),
    ("priority", "the processors before others", changed("priority {origin}"), "no", "yes"),
    ("loop device", "loop devices", done, "no", "yes"),
    ("user namespace", "a user namespace with every capability", permitted, "yes", "yes"),
)

#: The checks from outside of typed lines; lines without one must not print the secret.
LOOKS: Mapping[str, Look] = {
    "kill in a container": is_killed("typed kill"),
    "program on the machine": exists("ran"),
    "file of the machine": exists("written"),
    "program of the machine": lambda scene, _o, _n: scene.machine.program.read_text() != "a program\n",
    "owner of a program": lambda scene, _o, _n: scene.machine.program.stat().st_uid != 0,
    "node of the machine": lambda scene, _o, _n: scene.machine.node.stat().st_mode & 0o777 != 0o600,
    "mount on the machine": is_mounted(lambda scene: f"{scene.machine.folder}/content"),
    "propagated mount": is_mounted(lambda scene: f"/tmp/{scene.machine.name}"),
    "overlay over the machine": is_mounted(lambda scene: f"{scene.machine.folder}/up"),
    "cgroup of its own choice": has_cgroup(""),
    "cgroup above": has_cgroup("-up"),
    "own limits": changed("limits"),
    "release agent": changed("release agent"),
    "notify on release": changed("notify on release"),
    "cgroup of a neighbour": lambda scene, _o, _n: scene.machine.marked(3) in processes(scene.machine.neighbour.name),
    "socket of a neighbour": changed("networks of the neighbour"),
    "links of a neighbour": changed("links of the neighbour"),
    "network of a neighbour's container": lambda scene, _o, name: "inet" in scene.output[name],
    "page of a neighbour": lambda scene, _o, name: scene.machine.neighbour.name in scene.output[name],
    "page on the loopback": changed("page docker-host"),
    "segment with --ipc host": lambda scene, _o, name: str(scene.machine.shm[0]) in scene.output[name],
    "root of the machine": lambda scene, _o, _n: scene.after["users of a container"] == "0 0 4294967295",
    "log socket": holds("log", lambda scene, _o: scene.machine.frame),
    "log over the network": holds("requests", lambda _s, _o: "services/collector"),
    "terminal of the machine": holds("terminal", lambda scene, _o: scene.machine.frame),
    "layer of the template": changed("template"),
    "record of its host": changed("records"),
    "socket of its own engine": changed("engine was asked"),
    "size of its disk": changed("size of the disk"),
    "program on its disk": on_disk("{name}", lambda found: found.st_uid == 0 and bool(found.st_mode & stat.S_ISUID)),
    "device on its disk": on_disk("node-{name}", lambda found: stat.S_ISBLK(found.st_mode)),
    "last to be killed": lambda scene, _o, _n: scene.after["score of a container"] == "-900",
    "plugin": exists("plugged"),
}


def _all_attempts() -> Iterator[Attempt]:
    for short, must_not, look, *known in PROBED:
        for origin, privileged in zip(ORIGINS, known, strict=True):
            # A container on a host is meant to have the capabilities of its own user namespace.
            if (short, origin) != ("user namespace", "docker"):
                yield Attempt(f"{origin}: {short}", origin, must_not, look, KNOWN[privileged])
    for part in TYPED.read_text().split("# ")[1:]:
        head, _, line = part.partition("\n")
        short, must_not, privileged = head.split(" | ")
        yield Attempt(f"docker: {short}", "docker", must_not, LOOKS.get(short, secret), KNOWN[privileged], line.strip())


ATTEMPTS = tuple(_all_attempts())
