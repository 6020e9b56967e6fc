"""Builds the file system of a private host in a user namespace. The module imports little, because ``boot`` uses it at
each start of a host."""

import os

from dashboard.engine.hosts.user_namespace.calls import BIND, NODEV, NOSUID, REC, bind_readonly, change_root, mount
from dashboard.engine.hosts.user_namespace.files import copy, read_lines, run_program, write

INSIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inside.sh")
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
FOLDERS = (
    "usr", "etc", "etc/containerd", "etc/docker", "dev", "dev/pts", "dev/shm", "proc", "sys", "tmp", "root", "run",
    "run/containerd", "run/lock", "var", "var/lib", "var/log", "mnt", "opt", "home", "srv",
)  # fmt: skip
#: Below /etc: folders that are the machine's, read-only, and files that are copied.
ETC_FOLDERS = ("alternatives", "terminfo", "iproute2", "ssl/certs", "ld.so.conf.d")
ETC_FILES = (
    "ld.so.conf", "services", "protocols", "ethertypes", "inputrc", "localtime", "passwd", "group", "ld.so.cache",
)  # fmt: skip
NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"
#: The configuration of containerd, with the same folders as if dockerd had started it.
CONTAINERD = """version = 2
root = "{data}"
state = "{run}/daemon"
disabled_plugins = ["io.containerd.grpc.v1.cri"]

[grpc]
address = "{run}/containerd.sock"
"""
RESTRICTED = "nosuid,nodev,noexec"
CGROUPS = "/host/sys/fs/cgroup"
#: What the host itself mounts, apart from sys and cgroups: lines of fstab(5).
MOUNTS = (
    "proc /host/proc proc nosuid,nodev,noexec",
    "netmodes-pts /host/dev/pts devpts newinstance,ptmxmode=0666,mode=0620,gid=5,max=64,nosuid,noexec",
    "netmodes-shm /host/dev/shm tmpfs mode=1777,size=16m,nosuid,nodev",
)
#: The host's root, mounted onto itself: what came with the mount namespace is locked in its place.
ROOT = "/host /host none rbind"
LINKS = {
    "etc/mtab": "/proc/self/mounts",
    "dev/ptmx": "pts/ptmx",
    "dev/fd": "/proc/self/fd",
    "dev/stdin": "/proc/self/fd/0",
    "dev/stdout": "/proc/self/fd/1",
    "dev/stderr": "/proc/self/fd/2",
    "var/run": "../run",
    "var/tmp": "../tmp",
}


def build_tree(name: str, folder: str, run: str, owner: int, users: int) -> None:
    """Builds the host's file system and makes it the root of this mount namespace.

    The file system contains the folder host/, which becomes the root of the host, and the layers of the template. It
    also contains the machine's proc and sys, because the kernel permits new mounts of them only while complete ones are
    visible. ``folder`` and ``run`` are the arguments of ``boot.main``. ``owner`` is the user id of the host's root on
    the machine. ``users`` is the descriptor of the host's user namespace.
    """
    tree = f"{folder}/tree"
    os.makedirs(tree, exist_ok=True)
    mount("netmodes-root", tree, "tmpfs", 0, "mode=0755,size=8m")
    os.chdir(tree)
    _make_folders("host", "proc", "sys", "old", "layers", "etc", "dev")
    copy(INSIDE, "inside.sh")
    mount("/proc", "proc", flags=BIND | REC)
    mount("/sys", "sys", flags=BIND | REC)
    os.chdir("host")
    _make_folders(*FOLDERS)
    root = "".join(read_lines(f"{folder}/root"))
    _show_programs(root)
    _write_etc(name, folder, run, root)
    for link, target in LINKS.items():
        os.symlink(target, link)
    for device, (major, minor) in DEVICES.items():
        _make_node(f"dev/{device}", major, minor)
    _make_node("../dev/null", *DEVICES["null"])
    os.chmod("root", 0o700)
    for place in ("etc", "dev", "run", "var"):
        _give(owner, *(f"{place}/{entry}" for entry in os.listdir(place)))
    _give(owner, ".", "etc", "dev", "tmp", "root", "run", "var", "mnt", "opt", "home", "srv")
    # Only the machine's root can write these files, so that the host cannot fill the machine's disk with them.
    for file in ("resolv.conf", "hosts"):
        write(f"etc/{file}", "")
        mount(f"{folder}/etc/{file}", f"etc/{file}", flags=BIND)
    mount("netmodes-tmp", "tmp", "tmpfs", NOSUID | NODEV, "mode=1777,size=64m")
    _mount_state(folder, run, owner)
    mounts = [*cgroup_mounts(name, read_lines("/proc/self/cgroup")), *MOUNTS, *_mount_layers(folder, users), ROOT]
    write("../etc/fstab", "\n".join(mounts) + "\n")
    change_root(tree, "old")


def _show_programs(root: str) -> None:
    """Mounts the programs of the root file system ``root`` in host/, and links to them from the folder above it. If
    ``root`` is empty, these are the machine's programs.

    The mounts do not have the flags nosuid and nodev. runc would have to keep these flags, and then could not mount one
    of these programs read-only (docker run --init). Without nosuid, the set-user-ID bit still has no effect in the
    host, because the machine's root is not a user there.
    """
    bind_readonly(f"{root}/usr", "usr")
    os.symlink("host/usr", "../usr")
    for place in PROGRAMS:
        source = _find(root, place)
        if os.path.islink(source):
            for link in (place, f"../{place}"):
                os.symlink(os.readlink(source), link)
        elif os.path.isdir(source):
            _make_folders(place)
            bind_readonly(source, place)
            os.symlink(f"host/{place}", f"../{place}")


def _write_etc(name: str, folder: str, run: str, root: str) -> None:
    for place in ETC_FOLDERS:
        source = _find(root, f"etc/{place}")
        if os.path.isdir(source):
            os.makedirs(f"etc/{place}")
            bind_readonly(source, f"etc/{place}")
    for file in ETC_FILES:
        source = _find(root, f"etc/{file}")
        if os.path.isfile(source):
            copy(source, f"etc/{file}")
            if file == "ld.so.cache":
                copy(source, f"../etc/{file}")
    write("etc/nsswitch.conf", NSSWITCH)
    write("etc/hostname", f"{name}\n")
    copy(f"{folder}/daemon.json", "etc/docker/daemon.json")
    write("etc/containerd/config.toml", containerd_config(folder, run))


def _mount_state(folder: str, run: str, owner: int) -> None:
    """Mounts the engine's data and the folder of its socket. In that folder, mounts an empty tmpfs for the state that
    must not survive a restart, and the files that represent the LAN's network namespaces."""
    data, execution = f".{folder}/data", f".{run}/exec"
    for place in (data, f".{run}"):
        os.makedirs(place)
        mount(place[1:], place, flags=BIND)
    # The folder is on the machine's disk, which root of the host could fill, so a tmpfs is mounted there.
    os.makedirs(execution, exist_ok=True)
    mount("netmodes-exec", execution, "tmpfs", 0, f"mode=0711,size=32m,nr_inodes=16k,uid={owner},gid={owner}")
    for space in os.listdir(run):
        if space == "lan" or space.startswith("neighbour"):
            mount(f"{run}/{space}", f".{run}/{space}", flags=BIND)


def _mount_layers(folder: str, users: int) -> list[str]:
    """Mounts the layers of the template with the host's ids, which only the machine's root may do. ``users`` is the
    descriptor of the host's user namespace.

    Returns lines of fstab(5). With these lines, ``inside.sh`` mounts each layer a second time, at its place in the
    data-root. The host may remove these second mounts when it removes an image.
    """
    idmap = f"X-mount.idmap=/proc/{os.getpid()}/fd/{users}"
    lines: list[str] = []
    for line in read_lines(f"{folder}/layers"):
        source, place = line.rsplit(" ", 1)
        if os.path.isdir(f"{folder}/data/{place}"):
            layer = f"layers/{len(lines)}"
            _make_folders(f"../{layer}")
            run_program(["mount", "-o", f"bind,ro,{idmap}", source, f"../{layer}"])
            lines.append(f"/{layer} {escape(f'/host{folder}/data/{place}')} none bind")
    return lines


def cgroup_mounts(name: str, own: list[str]) -> list[str]:
    """Returns the lines of fstab(5) for the hierarchies in which the host ``name`` has a cgroup. ``own`` are the lines
    of /proc/self/cgroup of a process in the host's cgroup ``engine``."""
    lines = []
    for line in own:
        _, controllers, place = line.split(":", 2)
        if not place.endswith(f"/{name}/engine"):
            continue
        if not controllers:
            return [f"cgroup {CGROUPS} cgroup2 {RESTRICTED}"]
        hierarchy = controllers.removeprefix("name=")
        named = "" if hierarchy == controllers else "none,"
        lines.append(f"cgroup {CGROUPS}/{hierarchy} cgroup {RESTRICTED},{named}{controllers},X-mount.mkdir")
    return [f"netmodes-cgroup {CGROUPS} tmpfs {RESTRICTED},mode=0755,size=64k", *lines]


def containerd_config(folder: str, run: str) -> str:
    """Returns the configuration of containerd for a host. ``folder`` is the folder with the host's files, ``run`` the
    folder for its sockets."""
    data = folder.replace("\\", "\\\\").replace('"', '\\"')  # a basic string of TOML
    return CONTAINERD.format(data=f"{data}/data/containerd/daemon", run=f"{run}/exec/containerd")


def escape(path: str) -> str:
    """Returns ``path`` escaped for fstab(5)."""
    for character in ("\\", " ", "\t", "\n"):
        path = path.replace(character, f"\\{ord(character):03o}")
    return path


def _find(root: str, path: str) -> str:
    """Returns ``path`` below ``root``, the root file system with the engine, if it exists there; otherwise below the
    machine's root."""
    return f"{root}/{path}" if os.path.lexists(f"{root}/{path}") else f"/{path}"


def _give(owner: int, *paths: str) -> None:
    for path in paths:
        try:
            os.chown(path, owner, owner, follow_symlinks=False)
        except OSError:
            pass  # the machine's, read-only


def _make_folders(*paths: str) -> None:
    for path in paths:
        os.mkdir(path)


def _make_node(path: str, major: int, minor: int) -> None:
    os.mknod(path, 0o020666, os.makedev(major, minor))
    os.chmod(path, 0o666)  # noqa: S103 - a device of everyone
