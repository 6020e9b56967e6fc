"""The start of a private host in a user namespace: starts that fail or are unusual."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dashboard
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.template import HostTemplate
from tests.support.private_engine import PrivateEngine

PACKAGE = str(Path(dashboard.__file__).parent.parent)


@pytest.mark.engine
def test_a_folder_with_a_space_holds_a_host_with_layers(tmp_path: Path, session_template: HostTemplate) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    host = asyncio.run(private_host.start(folder, template=session_template))
    try:
        machine = PrivateEngine(host, folder)
        assert machine.docker("run", "--rm", "nginx", "echo", "started") == "started"
        assert machine.on_machine("mountpoint", "-q", "/sys/fs/cgroup") == ""
    finally:
        asyncio.run(private_host.stop_all(folder))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root creates them without a mapping")
def test_refused_namespaces_are_one_sentence(tmp_path: Path) -> None:
    """As in a container that permits no user namespace."""
    code = (
        f"import sys; sys.path.insert(0, {PACKAGE!r}); from dashboard.engine.hosts.user_namespace import boot; "
        "boot.create_namespaces('netmodes-abc', 524288)"
    )
    script = f'echo 0 > /proc/sys/user/max_user_namespaces; exec {sys.executable} -I -S -c "{code}"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["The host's namespaces cannot be created: [Errno 28] No space left on device"]


@pytest.mark.engine
def test_the_host_name_and_the_network_of_the_machine_stay(tmp_path: Path) -> None:
    def machine() -> tuple[str, set[str]]:
        return Path("/proc/sys/kernel/hostname").read_text(), {path.name for path in Path("/sys/class/net").iterdir()}

    before = machine()
    host = asyncio.run(private_host.start(tmp_path))
    try:
        assert machine() == before
    finally:
        asyncio.run(private_host.stop(host))
