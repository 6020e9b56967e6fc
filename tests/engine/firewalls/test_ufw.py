"""ufw from the distribution's package, on a real private host."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.engine.firewalls import ufw
from dashboard.engine.firewalls.ufw import ufw_command, unpacked_package
from dashboard.engine.hosts.neighbour import neighbour_path
from dashboard.engine.lab_image import LabImageUnavailableError
from dashboard.netns.namespace import Namespace
from dashboard.netns.request import request
from tests.support.polling import DEADLINE_S, eventually
from tests.support.private_engine import CACHE, PrivateEngine, private_engine
from tests.support.workers import outside

pytestmark = pytest.mark.engine


@pytest.fixture
def package() -> Path:
    """The unpacked package."""
    try:
        with outside():
            return unpacked_package(CACHE / "cache")
    except LabImageUnavailableError as error:
        pytest.skip(f"no package archive answers: {error}")


def test_the_package_is_downloaded_once(package: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tree = package
    assert (tree / "usr/sbin/ufw").exists()
    assert (tree / "etc/ufw/user.rules").exists()

    def refuse(*_: object) -> None:
        raise AssertionError("downloaded again")

    monkeypatch.setattr(ufw, "download_packages", refuse)
    assert unpacked_package(CACHE / "cache") == tree
    command = ufw_command(tmp_path / "ufw", CACHE / "cache", ["status"])
    assert command[-1] == "status"
    # Each host has its own rules.
    assert f"--rootdir={tmp_path / 'ufw'}" in command


def test_a_package_that_was_not_copied_completely_is_copied_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache, place = tmp_path_factory.mktemp("cache"), tmp_path / "ufw"
    (cache / "ufw/usr/sbin").mkdir(parents=True)
    (cache / "ufw/usr/sbin/ufw").touch()

    def fail(_package: Path, target: Path, **_options: object) -> None:
        target.mkdir()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", fail)
        with pytest.raises(OSError, match="No space left"):
            ufw_command(place, cache, ["status"])
    assert list(tmp_path.iterdir()) == []
    ufw_command(place, cache, ["status"])
    assert (place / "usr/sbin/ufw").exists()
    assert list(tmp_path.iterdir()) == [place]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[PrivateEngine]:
    """A separate host, because ufw leaves chains and policies behind."""
    with private_engine(tmp_path / "host") as made:
        yield made


@pytest.mark.usefixtures("package")
async def test_ufw_blocks_host_mode_and_not_a_published_port(host: PrivateEngine, tmp_path: Path) -> None:
    place = tmp_path / "ufw"

    def run(*arguments: str) -> str:
        return host.in_network(*ufw_command(place, CACHE / "cache", arguments))

    host.docker("run", "-d", "-p", "18340:80", "nginx")
    host.docker("run", "-d", "--network", "host", "-e", "NETMODES_PORT=18341", "nginx")

    async def status(port: int, timeout_s: float = 1.0) -> int | None:
        with Namespace.of_path_inside(host.pid, neighbour_path(host.endpoint)) as namespace:
            return (await request(namespace, "192.0.2.2", port, timeout_s=timeout_s)).status

    async def both_answer() -> bool:
        return [await status(port) for port in (18340, 18341)] == [200, 200]

    await eventually(both_answer)
    for arguments in (("deny", "18340/tcp"), ("deny", "18341/tcp"), ("--force", "enable")):
        await asyncio.to_thread(run, *arguments)
    assert "18341/tcp" in await asyncio.to_thread(run, "status")
    assert await status(18340, DEADLINE_S) == 200
    assert await status(18341) is None
    counted = host.in_network("iptables-save", "-c").splitlines()
    rules = [line for line in counted if "-A ufw-user-input -p tcp" in line]
    (published,) = [line for line in rules if "--dport 18340" in line]
    (in_host_mode,) = [line for line in rules if "--dport 18341" in line]
    assert published.startswith("[0:0]")
    assert not in_host_mode.startswith("[0:0]")
