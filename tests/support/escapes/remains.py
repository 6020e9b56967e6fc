"""What a participant leaves on a private host, and what remains of it on the machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

from dashboard.engine.hosts import id_ranges
from dashboard.engine.hosts.cleanup import MARKER, cgroup_folders, start_ticks
from dashboard.engine.hosts.limits import processes
from dashboard.engine.hosts.private_host import RUN, PrivateHost
from dashboard.engine.hosts.shell import HostShell, open_shell
from tests.support.polling import until
from tests.support.screens import Screen

#: What a participant leaves behind: containers that do not end, a container that is paused, a terminal's background,
#: namespaces, links, mounts, and cgroups with a path longer than PATH_MAX.
REMAINS = """
docker network create left; docker volume create left
docker run -d --restart always --network left -v left:/v nginx sh -c 'trap "" TERM INT; while :; do sleep 1; done'
docker run -d --privileged --pid host --network host --cgroupns host -v /:/h nginx sh -c '
    ip link add left type dummy; ip netns add left 2> /dev/null
    mkdir -p /tmp/m; mount -t tmpfs left /tmp/m; mount -t tmpfs left /h/tmp
    for d in /sys/fs/cgroup /sys/fs/cgroup/*; do
        mkdir -p $d/containers/left; echo $$ > $d/containers/left/cgroup.procs
    done
    for d in /sys/fs/cgroup /sys/fs/cgroup/pids; do
        (cd $d/containers/left && for n in $(seq 30); do mkdir {deep} && cd -P {deep} || exit; done
        sleep 100000 & echo $! > cgroup.procs)
    done 2> /dev/null
    unshare -n -u -i -m sleep 100000 & setsid nohup sleep 100000 & exec sleep 100000'
docker pause $(docker run -d nginx)
setsid nohup bash -c 'trap "" HUP TERM; while :; do sleep 1; done' > /dev/null 2>&1 &
""".replace("{deep}", "deep" * 50)
LEFT = "until [ $(docker ps -q | wc -l) = 3 ]; do sleep 0.1; done; echo all-$((40+2))\r"


def leave_everything(host: PrivateHost) -> tuple[HostShell, set[str]]:
    """Leaves processes, containers, links, mounts and cgroups behind, from a terminal. Returns the terminal and the
    namespaces of the host."""
    screen = Screen(open_shell(host, 200, 50))
    screen.sees(r":~# ")
    for line in REMAINS.strip().split("\n"):
        screen.type(line + "\r")
    screen.type(LEFT)
    screen.sees("all-42\r\n", 60)
    # A container runs before its shell has started the others, and a sleep ends each second.
    until(lambda: len(processes(host.name)) > 10)
    namespaces: set[str] = until(lambda: len(found := namespaces_of(processes(host.name))) > 8 and found)
    return screen.shell, namespaces


def clock_ticks() -> int:
    """The current time in the unit of process start times: clock ticks after boot."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def older_than(ticks: int, host: PrivateHost) -> list[int]:
    """The processes of the machine that started before ``ticks``, without those of other hosts: hosts that are being
    started reuse numbers of namespaces and ranges of ids at once."""
    pids = [pid for path in Path("/proc").glob("[0-9]*") if (start_ticks(pid := int(path.name)) or ticks) < ticks]
    return [pid for pid in pids if _marked_host(pid) in {"", host.name}]


def _marked_host(pid: int) -> str:
    """The host whose engine has started a process; empty for other processes."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    values = [one.partition(b"=")[2].decode() for one in variables if one.startswith(f"{MARKER}=".encode())]
    return values[0] if values else ""


def users(first: int, pids: list[int]) -> list[int]:
    """The processes with a user of this range of ids."""
    found = []
    for pid in pids:
        try:
            if first <= Path(f"/proc/{pid}").stat().st_uid < first + 65536:
                found.append(pid)
        except OSError:
            continue
    return found


def namespaces_of(pids: list[int]) -> set[str]:
    """The namespaces of these processes, apart from this one's."""
    own = {str(path.readlink()) for path in Path("/proc/self/ns").iterdir()}
    found = set()
    for pid in pids:
        try:
            found |= {str(path.readlink()) for path in Path(f"/proc/{pid}/ns").iterdir()}
        except OSError:
            continue
    return found - own


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except OSError:
        return None


def _content(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def remains(host: PrivateHost, namespaces: set[str], ended: int) -> list[object]:
    """What exists of a host that was removed after ``ended``: processes, cgroups, mounts, files, its loop device, its
    range of ids, and namespaces that a process or a mount holds."""
    pids = older_than(ended, host)
    # Numbers of namespaces are reused at once, also by servers of other tests, which create neither user nor network
    # namespaces. All processes of a host with a user namespace are in it, except those of Netmodes, which enter the
    # network namespace only. So these two kinds suffice.
    has_user_namespace = any(one.startswith("user:") for one in namespaces)
    sought = {one for one in namespaces if one.startswith(("user:", "net:")) or not has_user_namespace}
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    files = [path for path in (host.folder, RUN / host.id) if path.exists()]
    claims = [link for link in id_ranges.CLAIMS.glob("[0-9]*") if _target(link) == host.folder]
    loops = Path("/sys/block").glob("loop*/loop/backing_file")
    return [
        *(users(host.owner, pids) if host.owner else ()),
        *cgroup_folders(host.name),
        *(line for line in mounts if f"/{host.id}" in line or any(one in line for one in namespaces)),
        *files,
        *claims,
        *(file for file in loops if _content(file).startswith(str(host.folder))),
        *(namespaces_of(pids) & sought),
    ]
