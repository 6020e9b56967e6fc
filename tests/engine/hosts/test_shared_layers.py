"""Sharing the layers of a template, on file systems that permit idmapped mounts and on one that does not."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.engine.hosts import preparation, private_host, shared_layers
from dashboard.engine.hosts.runtimes import Runtime
from dashboard.engine.hosts.shared_layers import sharing_refusal
from dashboard.engine.hosts.template import host_template
from tests.support.private_engine import PrivateEngine

pytestmark = pytest.mark.engine


@pytest.fixture
def ramfs(tmp_path: Path) -> Iterator[Path]:
    """A file system without FS_ALLOW_IDMAP (linux/fs.h)."""
    folder = tmp_path / "ramfs"
    folder.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_the_disk_of_this_machine_permits_it_and_nothing_remains(tmp_path: Path) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    assert sharing_refusal(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
    assert Path("/proc/self/mountinfo").read_text() == mounts


def test_a_file_system_that_refuses_is_reported_with_the_reason(ramfs: Path) -> None:
    assert "mount_setattr() failed: cannot set ID-mapping" in sharing_refusal(ramfs)
    assert list(ramfs.iterdir()) == []


def test_a_mount_command_that_ignores_the_option_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = subprocess.CompletedProcess([], 0, "0\n", "")
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_options: done)
    shared_layers._mount_with_other_ids.cache_clear()
    assert "util-linux 2.39" in sharing_refusal(tmp_path)


def test_where_layers_cannot_be_shared_a_host_runs_containers_from_its_copy(
    session_hosts_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "sharing_refusal", lambda _folder: "not permitted")

    async def start() -> PrivateEngine:
        template = await host_template(session_hosts_folder)
        host = await private_host.start(session_hosts_folder, template=template, runtime=Runtime.USER_NAMESPACE)
        for layer in template.layers:
            assert any((host.data / layer).iterdir())
            assert (host.data / layer).stat().st_uid == host.owner
        return PrivateEngine(host, session_hosts_folder)

    try:
        machine = asyncio.run(start())
        assert machine.docker("run", "--rm", "--network", "none", "nginx", "echo", "runs") == "runs"
    finally:
        asyncio.run(private_host.stop_all(session_hosts_folder))
