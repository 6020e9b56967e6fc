"""Prepares the folder and the cgroups of a private host, and starts the programs that become its engine.

All functions block.
"""

from __future__ import annotations

import functools
import json
import logging
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dashboard
from dashboard.engine.hosts import disk, id_ranges, syscall_filter
from dashboard.engine.hosts import registry as records
from dashboard.engine.hosts.cleanup import MARKER
from dashboard.engine.hosts.limits import make_cgroups, make_delegated_cgroups, missing_controllers
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.hosts.runtimes import SEARCH_PATH, sharing_refusal
from dashboard.engine.hosts.syscall_filter import Scope
from dashboard.engine.hosts.user_namespace import boot
from dashboard.engine.hosts.user_namespace.lan import COMMAND as CREATE_LAN

if TYPE_CHECKING:
    from dashboard.engine.hosts.template import HostTemplate

log = logging.getLogger(__name__)
#: Short, because the path of a unix socket is limited to 107 bytes (unix(7)).
RUN = Path("/run/netmodes")
#: The address of a host on a LAN of its own.
MACHINE_ADDRESS = LanPlace().addresses[0]
#: What starts a host of the runtime ``privileged``; ``user_namespace`` starts the others.
SCRIPT = Path(__file__).with_name("private_host.sh")
MODULES = """
modprobe -qa bridge br_netfilter overlay veth xt_addrtype xt_conntrack xt_MASQUERADE
for table in filter nat mangle raw; do
    iptables -w 5 -t "$table" -S
    ip6tables -w 5 -t "$table" -S
done
"""
#: The first id of remapped containers, and how many there are (subuid(5), option ``userns-remap``).
REMAPPED_IDS = "231072:65536"


def claim_ids(host: PrivateHost) -> PrivateHost:
    """Creates the folder of a new host in a user namespace and claims a range of ids for it. Returns the host with this
    range. Raises NoIdsError if no range is free."""
    host = replace(host, owner=id_ranges.claim(host.folder))
    records.note_starter(host)  # at once: other processes remove folders of hosts that no process starts
    return host


def claim_ids_again(host: PrivateHost) -> int:
    """Claims the host's range of ids again and returns its first id. If another host has taken the range meanwhile,
    claims a different one and changes the owner of the host's files."""
    owner = id_ranges.claim(host.folder, host.owner)
    if owner != host.owner:
        disk.on_disk(host.disk, host.data, lambda: id_ranges.shift(host.data, host.owner, owner))
    return owner


def prepare(
    host: PrivateHost,
    root: Path | None,
    daemon: dict[str, Any],
    template: HostTemplate | None,
    *,
    is_limited: bool = True,
) -> None:
    """Creates the folders of a new host and the files that its start script reads.

    ``daemon`` are the options in its daemon.json. ``is_limited`` tells whether its disk should have a limited size.
    Even then, the disk has no limit if the host is not in a user namespace, if NETMODES_HOST_DISK_MB is 0, or if this
    machine permits no loop devices. For the other arguments, see ``private_host.start``.

    Raises OSError, for example if it cannot be determined whether the machine permits loop devices. Raises ValueError
    if NETMODES_HOST_DISK_MB is not a valid size.
    """
    folder, run = host.folder, RUN / host.id
    for parent in (folder.parent, folder, folder / "etc"):
        parent.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    records.note_starter(host, str(template.folder) if template is not None else "")
    RUN.mkdir(mode=0o711, exist_ok=True)
    run.mkdir(mode=0o711)
    try:
        resolv_conf = Path("/etc/resolv.conf").read_text(errors="replace")
    except OSError:
        resolv_conf = ""
    (folder / "etc" / "resolv.conf").write_text(resolv_conf)
    (folder / "etc" / "hosts").write_text(
        f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n{host.lan.addresses[0]}\t{host.name}\n"
    )
    if "userns-remap" in daemon:
        user = str(daemon["userns-remap"]).partition(":")[0]
        for file in ("subuid", "subgid"):
            (folder / "etc" / file).write_text(f"{user}:{REMAPPED_IDS}\n")
    copied = template is not None and bool(host.owner) and bool(sharing_refusal(template.folder.parent))
    megabytes = _disk_size_mb(host) if is_limited else 0
    if template is not None:
        if megabytes and not copied:
            disk.copy(template.disk_image(megabytes), host.disk)
        else:
            template.copy_to(host.data, with_layers=copied)
        daemon = {"storage-driver": "overlay2", **daemon}
    (folder / "root").write_text(str(root or ""))
    (folder / "layers").write_text(template.mounts if template is not None and not copied else "")
    (folder / "daemon.json").write_text(json.dumps({"log-level": "warn", **daemon}, indent=2))
    if host.owner:
        host.data.mkdir(mode=0o711, exist_ok=True)
        id_ranges.shift(host.data, 0, host.owner)
        os.chown(run, host.owner, host.owner)
        if megabytes and not host.disk.exists():
            disk.make(host.data, host.disk, megabytes)


def _disk_size_mb(host: PrivateHost) -> int:
    """Returns the size of the host's disk in MB; 0 if the host gets no disk of its own."""
    megabytes = disk.size_mb() if host.owner else 0
    if megabytes and (refusal := disk.probe(host.folder.parent.parent)):
        log.warning("the disk of the private host %s has no limit: %s", host.id, refusal)
        return 0
    return megabytes


def lan_line(lan: LanPlace, joined: PrivateHost | None) -> str:
    """Returns the line that ``create_lan`` reads: the host's number, the properties of the LAN and, if the host joins
    the LAN of the host ``joined``, the folders of ``joined``."""
    where = f"/proc/{joined.pid}/root{RUN / joined.id} {joined.folder}" if joined is not None else "- -"
    return f"{lan.number} {lan.neighbours} {lan.mtu} {lan.delay_ms or '-'} {lan.loss_percent or '-'} {where}\n"


@functools.cache
def load_modules() -> None:
    """Loads the kernel modules that hosts in user namespaces need. The kernel does not load modules on demand for a
    process in a user namespace or with the seccomp filter."""
    if Path("/proc/modules").exists():
        subprocess.run(
            ["unshare", "--net", "--", "/bin/sh", "-c", MODULES],
            env={"PATH": SEARCH_PATH},
            capture_output=True,
            check=False,
            timeout=60,
        )


def spawn(host: PrivateHost, *, die_with_parent: bool) -> int:
    """Starts the programs of the host and returns their pid. Each program replaces itself with the next (exec), so all
    have the same pid. The last one is dockerd or, on a host in a user namespace, the program that waits for the host's
    process 1."""
    arguments = [host.name, str(host.folder), str(RUN / host.id)]
    tie = ["setpriv", "--pdeathsig", "TERM", "--"] if die_with_parent else []
    package = str(Path(dashboard.__file__).parent.parent)
    if host.owner:
        command = [sys.executable, "-I", "-S", "-c", boot.COMMAND, package, *arguments, str(host.owner)]
        command += [syscall_filter.digits(Scope.HOST), "tied" if die_with_parent else ""]
    else:
        spaces = ["unshare", "--net", "--mount", "--uts", "--propagation", "private", "--"]
        command = ["/usr/bin/env", "--", *tie, *spaces, "/bin/sh", str(SCRIPT), *arguments]
        command += [sys.executable, CREATE_LAN, package]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    # With TIE the scripts of ``setups`` set the signal again for programs that they start: children do not inherit it,
    # and a change of user clears it.
    environment = {"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8", MARKER: host.name, "TIE": " ".join(tie[1:-1])}
    if host.limits is not None:
        # The engine's programs are written in Go. They would use a thread for each core of the machine, but the host
        # may use fewer; and at their start they would collect garbage again and again in a heap of a few megabytes.
        environment |= {"GOMAXPROCS": str(math.ceil(host.limits.cpus)), "GOGC": "400"}
    return os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(host.log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def create_cgroups(host: PrivateHost) -> None:
    """Creates the host's cgroups with its limits. Writes their paths, and the limits that cannot be set yet, to files
    for the host's start script."""
    if host.limits is not None and (missing := missing_controllers()):
        log.warning(
            "the private host %s has no limits of %s: cgroup controllers are missing", host.id, ", ".join(missing)
        )
    if not host.owner:
        (host.folder / "cgroups").write_text("".join(f"{cgroup}\n" for cgroup in make_cgroups(host.name, host.limits)))
        return
    made = make_delegated_cgroups(host.name, host.limits, host.owner)
    (host.folder / "cgroups").write_text("".join(f"{top}\n" for top in made.tops))
    (host.folder / "limits").write_text("".join(f"{file} {value}\n" for file, value in made.later))
