"""Starts a private host where the only cgroups are those of the unified hierarchy, and prints the result of ``main`` as
JSON.

Run it with ``COMMAND`` in a mount namespace of its own. Where the machine's controllers are in hierarchies of version
1, the unified one has few or none: limits that need a missing controller are not set."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.cleanup import cgroup_folders
from dashboard.engine.hosts.limits import processes
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine, load_lab_image

LIMITS = HostLimits(512, 512, 1.0)
MOUNT = "umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup /sys/fs/cgroup"
RUN = f"{MOUNT} && exec {sys.executable} -m tests.support.engines.unified_host"
COMMAND = ("unshare", "--mount", "--propagation", "private", "sh", "-c", f'{RUN} "$0"')
#: A container with every protection disabled tries to leave its cgroup.
LEAVE = "mkdir /sys/fs/cgroup/left; echo 0 > /sys/fs/cgroup/cgroup.procs; exec sleep 1000"


def _places(name: str) -> list[str]:
    """The cgroups of the containers' programs, below that of the host."""
    found = []
    for pid in processes(name):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            if Path(f"/proc/{pid}/comm").read_text() == "sleep\n":
                lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
                found += [line.removeprefix(f"0::/{name}") for line in lines if line.startswith("0::")]
    return sorted(found)


async def main(folder: Path) -> dict[str, object]:
    """Returns the cgroup version of the engine, its refusal of another parent, and the cgroups of the containers."""
    host = await private_host.start(folder, limits=LIMITS)
    try:
        machine = PrivateEngine(host, folder)
        await load_lab_image(host)
        machine.docker("run", "-d", "nginx", "sleep", "1000")
        machine.docker("run", "-d", "--privileged", "--cgroupns", "host", "--pid", "host", "nginx", "sh", "-c", LEAVE)
        return {
            "version": machine.docker("info", "--format", "{{.CgroupVersion}}"),
            "parent": machine.refusal("run", "--rm", "--cgroup-parent", "/other", "nginx", "true"),
            # A container that has started becomes sleep some moments later.
            "places": await eventually(lambda: len(places := _places(host.name)) == 2 and places),
        }
    finally:
        await private_host.stop(host)
        assert cgroup_folders(host.name) == []


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(Path(sys.argv[1])))))
