"""Builds a private host in a user namespace, then becomes the program that runs ``inside.sh`` in it.

``main`` runs as root of the machine, in a process of its own. It loads the seccomp filter, enters the host's
cgroups, and creates the host's namespaces, LAN and file system. This file system becomes its root: no other file of the
machine remains visible.

The module imports little and makes system calls instead of starting programs, because it runs at each start of a host:
a shell script that did the same took 0.15 s more processor time.
"""

import os
import sys

from dashboard.engine.hosts.user_namespace.calls import (
    PRIVATE,
    REC,
    end_with_parent,
    execute,
    load_filter,
    mount,
    mount_image,
    set_host_name,
)
from dashboard.engine.hosts.user_namespace.files import read_lines, run_program, write
from dashboard.engine.hosts.user_namespace.lan import create_lan
from dashboard.engine.hosts.user_namespace.tree import build_tree

#: Runs ``main`` with the arguments that follow; the first one is the folder that contains the package.
COMMAND = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from dashboard.engine.hosts.user_namespace.boot import main; main(*sys.argv[2:])"
)
#: The number of ids of a host (``id_ranges.COUNT``).
COUNT = 65536
#: The namespaces that the host's user namespace owns.
SPACES = {
    "user": os.CLONE_NEWUSER,
    "net": os.CLONE_NEWNET,
    "uts": os.CLONE_NEWUTS,
    "cgroup": os.CLONE_NEWCGROUP,
}


def main(name: str, folder: str, run: str, base: str, program: str, tied: str) -> None:
    """Turns this process into the host; does not return.

        name     the host name
        folder   a folder with etc/, data/, disk, root, cgroups, limits, layers and daemon.json
        run      the folder for sockets, whose path is short
        base     the user id of the host's root on the machine
        program  the seccomp filter in hexadecimal digits, empty if the machine has none
        tied     not empty: the host ends with the parent of this process

    Exits with status 1 if a step fails in another program, which has printed why.
    """
    os.umask(0o022)
    if tied:
        end_with_parent()
    os.unshare(os.CLONE_NEWNS)
    mount("none", "/", flags=REC | PRIVATE)
    if program:
        load_filter(bytes.fromhex(program))
    owner, cgroups = int(base), read_lines(f"{folder}/cgroups")
    # First, so that everything started from here on is in the host's cgroup.
    _enter(cgroups)
    spaces = create_namespaces(name, owner)
    _enter([f"{top}/engine" for top in cgroups])
    # In the unified hierarchy a cgroup with processes cannot delegate controllers, so this is done only now.
    write_limits(read_lines(f"{folder}/limits"))
    _mount_disk(folder, owner)
    create_lan(folder, run, f"/proc/self/fd/{spaces['net']}")
    build_tree(name, folder, run, owner, spaces["user"])
    _enter_namespaces(spaces)
    if tied:
        end_with_parent()
    more = ("--mount", "--pid", "--ipc", "--propagation", "private", "--fork", "--kill-child")
    execute(["unshare", *more, "--", "/bin/sh", "/inside.sh", folder, run])


def create_namespaces(name: str, owner: int) -> dict[str, int]:
    """Creates the host's user namespace and the namespaces that it owns. Returns an open descriptor of each, by its
    name in SPACES. ``owner`` is the user id of the host's root on the machine.

    Call it while this process is in the host's topmost cgroup, so that the host sees this cgroup as the root. Exits
    with status 1 and a message if the kernel refuses a namespace.
    """
    reader, writer = os.pipe()
    waiting, end = os.pipe()
    holder = os.fork()
    if holder == 0:
        os.close(end)
        try:
            os.unshare(sum(SPACES.values()))
            set_host_name(name)
            os.write(writer, b".")
            os.read(waiting, 1)
        except OSError as error:
            sys.stderr.write(f"The host's namespaces cannot be created: {error}\n")
            sys.stderr.flush()
        os._exit(0)
    os.close(writer)
    try:
        if not os.read(reader, 1):
            sys.exit(1)  # the child has printed why
        for kind in ("uid_map", "gid_map"):
            write(f"/proc/{holder}/{kind}", f"0 {owner} {COUNT}")
        return {space: os.open(f"/proc/{holder}/ns/{space}", os.O_RDONLY) for space in SPACES}
    finally:
        for descriptor in (end, waiting, reader):
            os.close(descriptor)
        os.waitpid(holder, 0)


def _enter_namespaces(spaces: dict[str, int]) -> None:
    """Enters the namespaces and becomes root of the host."""
    for space, descriptor in spaces.items():
        os.setns(descriptor, SPACES[space])
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _enter(cgroups: list[str]) -> None:
    for cgroup in cgroups:
        write(f"{cgroup}/cgroup.procs", str(os.getpid()))


def write_limits(lines: list[str]) -> None:
    """Writes limits: each line contains a file and its value. Raises OSError if a limit cannot be set.

    Errors of ``cgroup.subtree_control`` can be ignored: if a controller cannot be delegated, its limit files are
    missing, and their lines raise OSError. A missing ``memory.swap.max`` is ignored, because some kernels do not
    account for swap.
    """
    for line in lines:
        file, _, value = line.partition(" ")
        try:
            write(file, value)
        except OSError:
            is_missing_swap = file.endswith("/memory.swap.max") and not os.path.exists(file)
            if not is_missing_swap and not file.endswith("/cgroup.subtree_control"):
                raise


def _mount_disk(folder: str, owner: int) -> None:
    """Mounts the host's disk if it has one. The mount is in this mount namespace only, so it disappears with the host
    (``hosts.disk``)."""
    disk, data = f"{folder}/disk", f"{folder}/data"
    if not os.path.exists(disk):
        return
    try:
        mount_image(disk, data, "ext4", "noinit_itable")
    except OSError:
        run_program(["mount", "-t", "ext4", "-o", "loop,noinit_itable", disk, data])
    try:
        os.rmdir(f"{data}/lost+found")
    except OSError:
        pass  # root of the host may have put something into it
    if os.stat(data).st_uid == 0:
        _give_to(owner, data)
    os.chown(data, owner, owner)
    os.chmod(data, 0o711)  # noqa: S103 - containers with other users must reach their files


def _give_to(owner: int, folder: str) -> None:
    """Gives the template's files in ``folder`` to the host: adds ``owner``, the host's first id, to their ids. Skips
    files whose ids are already those of the host."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(place, name)
            found = os.lstat(path)
            if found.st_uid < COUNT:
                os.lchown(path, owner + found.st_uid, owner + found.st_gid)
