"""Finds the Engine's process on this machine. Containers in host mode share its network namespace."""

import socket
import struct
from contextlib import suppress
from pathlib import Path

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.engine.mountinfo import parse_mountinfo
from dashboard.engine.protocol import EngineInfo

DAEMONS = frozenset({"dockerd", "balenad"})
PROC = Path("/proc")
#: A variable in the environment of every program that RootlessKit starts.
STATE_DIR = "ROOTLESSKIT_STATE_DIR"
#: The end of the path at which rootless Podman mounts the network namespace of its bridges.
ROOTLESS_NETNS = "/rootless-netns/rootless-netns"
#: Pid files of the system's dockerd: as seen by the machine's first process (from a container that shares the machine's
#: pids, this is the machine's /run), and as seen by this process.
PID_FILES = (Path("/proc/1/root/run/docker.pid"), Path("/run/docker.pid"))


def _comm(pid: int) -> str:
    try:
        return (PROC / str(pid) / "comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def _is_podman(pid: int) -> bool:
    """Returns whether the process is Podman's service, or systemd, which listens for the service and starts it on
    demand."""
    return _comm(pid) == "systemd" or _is_named_podman(pid)


def _is_named_podman(pid: int) -> bool:
    if _comm(pid) == "podman":
        return True
    # A rootless service has re-executed /proc/self/exe: its argv[0] contains podman, but its process name does not
    # (podman, pkg/rootless).
    try:
        first = (PROC / str(pid) / "cmdline").read_bytes().partition(b"\0")[0]
    except OSError:
        return False
    return first.rpartition(b"/")[2] == b"podman"


def _before_reexecution(pid: int) -> int:
    """Returns the parent of Podman's service ``pid`` if the parent is Podman, too. Otherwise returns ``pid``.

    A rootless Podman executes itself again as a child and waits for it. Only the parent always remains in the machine's
    namespaces. Threads of the child enter the namespace of its bridges (rootless-netns). Its first thread, whose
    namespace /proc/PID shows, may remain there (setns(2)).
    """
    parent = _parent(pid)
    return parent if _is_named_podman(parent) else pid


def _parent(pid: int) -> int:
    """Returns the pid of the process's parent; 0 if it has none or cannot be read."""
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _pid_from_file() -> int:
    """Returns the pid from the first of dockerd's possible pid files that can be read; 0 if none can."""
    for file in PID_FILES:
        try:
            return int(file.read_text())
        except (OSError, ValueError):
            continue
    return 0


def environment_of(pid: int) -> dict[str, str]:
    """Returns the environment with which the process was started; empty if it cannot be read."""
    try:
        content = (PROC / str(pid) / "environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return {name: value for name, _, value in (entry.partition("=") for entry in content.split("\0")) if name}


def detached_namespace(pid: int | None) -> str:
    """Returns the path of the network namespace that RootlessKit has created for containers only (``--detach-netns``;
    Moby, pkg/rootless). The daemon itself then stays in the machine's namespace.

    ``pid`` is the daemon's pid. The path is valid in the file system that the daemon sees. Empty if there is no such
    namespace, or if ``pid`` is None.
    """
    state_dir = "" if pid is None else environment_of(pid).get(STATE_DIR, "")
    path = f"{state_dir}/netns"
    return path if state_dir and (PROC / str(pid) / "root" / path.lstrip("/")).is_file() else ""


def port_namespaces(info: EngineInfo) -> list[tuple[int, str]]:
    """Returns the network namespaces in which the Engine binds published ports, as pairs of a pid and a path (the
    arguments of ``Namespace.of_machine``). The list is empty if the daemon's pid is unknown.

    With a rootless Docker Engine, these are the namespace of RootlessKit itself, which forwards the ports (RootlessKit,
    docs/port.md), and RootlessKit's namespace, which takes the place of the machine. In the latter, pasta listens on
    the ports that programs hold in the former.
    """
    if info.pid is None:
        return []
    if info.netns:
        return [(info.pid, info.netns), (info.pid, "")]
    outside = _rootlesskit(info.pid) if info.rootless and info.kind is EngineKind.DOCKER else None
    return [(info.pid, "")] if outside is None else [(outside, ""), (info.pid, "")]


def _rootlesskit(pid: int) -> int | None:
    """Returns the pid of RootlessKit, the nearest ancestor of its daemon ``pid`` in another network namespace. None if
    no ancestor is in another one, or if namespaces cannot be read."""
    try:
        own, parent = (PROC / str(pid) / "ns/net").stat().st_ino, _parent(pid)
        while parent and (PROC / str(parent) / "ns/net").stat().st_ino == own:
            parent = _parent(parent)
    except OSError:
        return None
    return parent or None


def rootless_netns(pid: int) -> tuple[int, str] | None:
    """Finds the network namespace with the bridges of a rootless Podman (rootless-netns).

    Returns the id of a thread that sees the namespace's file, and the path of the file as this thread sees it. Returns
    None while no container is on a bridge. ``pid`` is the result of ``find_daemon``. Blocks.

    The service's threads may be in different mount namespaces: the first thread may remain in one that Podman created
    for an earlier rootless-netns (containers/common, rootlessnetns).
    """
    children: list[int] = []
    for file in (PROC / str(pid) / "task").glob("*/children"):
        with suppress(OSError):
            children += map(int, file.read_text().split())
    for process in (pid, *children):
        # The oldest threads first: younger ones may end.
        for folder in sorted((PROC / str(process) / "task").glob("*"), key=lambda each: int(each.name)):
            with suppress(OSError):
                for mount in parse_mountinfo((folder / "mountinfo").read_bytes()):
                    if (place := str(mount.point)).endswith(ROOTLESS_NETNS):
                        return int(folder.name), place
    return None


def running_daemon() -> int | None:
    """Returns the pid of the machine's dockerd: the pid in dockerd's pid file. If no dockerd runs with that pid,
    returns the pid of the only process named dockerd (or balenad). None if there is no such process, or several."""
    pid = _pid_from_file()
    if pid > 0 and _comm(pid) in DAEMONS:
        return pid
    found = [int(one.name) for one in PROC.iterdir() if one.name.isdigit() and _comm(int(one.name)) in DAEMONS]
    return found[0] if len(found) == 1 else None


def find_daemon(endpoint: str, kind: EngineKind = EngineKind.DOCKER, timeout_s: float = 2.0) -> int | None:
    """Returns the pid of the daemon behind the unix socket ``endpoint`` (SO_PEERCRED, unix(7)). None if the daemon is
    not a process of this machine, or if the socket does not accept a connection within ``timeout_s``. Blocks.

    The kernel reports the process that called listen(2). With systemd's socket activation, this process is systemd. For
    Docker, ``running_daemon`` then finds dockerd. For Podman, the pid of systemd is returned, because Podman's service
    exits when it is idle.
    """
    if not endpoint.startswith("unix://"):
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(timeout_s)
            peer.connect(endpoint.removeprefix("unix://"))
            packed = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return None
    pid: int = struct.unpack("3i", packed)[0]
    if pid <= 0:
        return None
    if kind is EngineKind.PODMAN:
        return _before_reexecution(pid) if _is_podman(pid) else None
    if _comm(pid) in DAEMONS:
        return pid
    return running_daemon() if pid == 1 else None
