"""A rootless Docker Engine: RootlessKit and dockerd as an ordinary user of a machine in namespaces of its own."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboard.engine.daemon_process import find_daemon
from dashboard.engine.hosts.cleanup import remove_everything, start_ticks
from dashboard.engine.hosts.limits import make_cgroups
from dashboard.engine.hosts.registry import PrivateHost
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine, build_lab_image, load_lab_image

SCRIPT = Path(__file__).with_name("rootless.sh")
RUN = Path("/run/netmodes-tests")
USER = 64100
SUBORDINATE_IDS = "rootless:1100000:65536\n"
#: The port driver that belongs to each network driver (dockerd-rootless.sh of Moby).
PORT_DRIVERS = {"slirp4netns": "builtin", "pasta": "implicit"}


def missing_tools(network: str = "slirp4netns") -> str:
    """The programs that are not installed, empty if none is missing."""
    return ", ".join(tool for tool in ("rootlesskit", "newuidmap", "dockerd", network) if shutil.which(tool) is None)


@contextmanager
def rootless_engine(data_dir: Path, network: str = "slirp4netns") -> Iterator[PrivateEngine]:
    """A rootless engine with the lab image, also tagged ``nginx``; ``network`` is RootlessKit's driver. It is removed
    completely at the end. ``pid`` of the result is dockerd's, so ``on_machine`` runs in RootlessKit's namespaces."""
    build_lab_image()
    identity = secrets.token_hex(3)
    name, run, folder = f"netmodes-{identity}", RUN / identity, data_dir.absolute() / identity
    run.mkdir(parents=True)
    for parent in (folder, folder / "etc", folder / "home"):
        parent.mkdir()
    _write_etc(folder / "etc")
    (folder / "cgroups").write_text("".join(f"{file}\n" for file in make_cgroups(name, None)))
    root = os.environ.get("NETMODES_ENGINE_ROOT", "")
    command = ["unshare", "--net", "--mount", "--uts", "--propagation", "private", "--", "/bin/sh", str(SCRIPT)]
    command += [name, str(folder), str(run), root, network, PORT_DRIVERS[network]]
    socket = str(run / "docker.sock")
    with (folder / "dockerd.log").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        until(lambda: _answers(socket) or child.poll() is not None, 60)
        assert child.poll() is None, (folder / "dockerd.log").read_text()[-3000:]
        pid = find_daemon(f"unix://{socket}")
        assert pid is not None
        netns = Path(f"/proc/{pid}/ns/net").stat().st_ino
        host = PrivateHost(identity, pid, netns, socket, time.time(), folder, start_ticks(pid) or 0)
        asyncio.run(load_lab_image(host))
        yield PrivateEngine(host, data_dir)
    finally:
        child.kill()
        child.wait()
        remove_everything(name, [run])


def _write_etc(etc: Path) -> None:
    line = f"rootless:x:{USER}:{USER}::/nonexistent:/bin/sh\n"
    (etc / "passwd").write_text(Path("/etc/passwd").read_text() + line)
    (etc / "group").write_text(Path("/etc/group").read_text() + f"rootless:x:{USER}:\n")
    (etc / "resolv.conf").write_text(Path("/etc/resolv.conf").read_text())
    (etc / "hosts").write_text("127.0.0.1\tlocalhost\n192.0.2.2\tmachine.test\n")
    for name in ("subuid", "subgid"):
        (etc / name).write_text(SUBORDINATE_IDS)


def _answers(socket: str) -> bool:
    command = ["docker", "-H", f"unix://{socket}", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0
