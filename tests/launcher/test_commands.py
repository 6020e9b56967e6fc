from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.launcher import commands
from dashboard.launcher.launch import Launch
from tests.launcher.fake_machine import REPOSITORY, Machine

MakeLaunch = Callable[..., Launch]


@pytest.mark.parametrize(
    ("role", "arguments", "pages_only"),
    [
        ("", [], False),
        ("", ["--role", "web"], True),
        ("", ["--port", "8001", "--role=web"], True),
        ("", ["--role", "lab"], False),
        ("web", [], True),
        ("web", ["--role", "all"], False),
        ("", ["web"], False),
    ],
)
def test_only_the_role_web_serves_without_an_engine(
    monkeypatch: pytest.MonkeyPatch, role: str, arguments: list[str], pages_only: bool
) -> None:
    monkeypatch.setenv("NETMODES_ROLE", role)
    assert commands.serves_pages_only(arguments) is pages_only


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (["up"], True),
        (["up", "--help"], False),
        (["up", "--role=web"], False),
        (["setup", "--port", "8001"], True),
        (["setup", "--role", "web"], False),
        (["compare", "host", "--role=web"], True),
        (["test"], True),
        (["test", "-m", "not engine and not browser"], False),
        (["bench", "-h"], False),
        (["claims"], True),
        (["claims", "--json", "--list"], False),
        (["hosts", "list"], False),
        (["hosts", "start", "list"], True),
        (["lan", "list", "--json"], False),
        (["lan", "create"], True),
        (["doctor"], False),
        (["check"], False),
    ],
)
def test_commands_that_start_containers_need_an_engine(launch: MakeLaunch, words: list[str], needed: bool) -> None:
    assert commands.needs_engine(launch(*words)) is needed


def test_the_launcher_imports_the_standard_library_only() -> None:
    for path in (*sorted((REPOSITORY / "dashboard/launcher").glob("*.py")), REPOSITORY / "dashboard/interrupts.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "dashboard":
                assert [alias.name for alias in node.names] == ["interrupts"], path.name
                continue
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            foreign = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
            own = all(name.startswith("dashboard.launcher") for name in names if name.startswith("dashboard"))
            assert foreign <= {"dashboard"}, f"{path.name} imports {foreign}"
            assert own, f"{path.name} imports {names}"


def test_a_start_imports_nothing_slow() -> None:
    """Each of these modules takes as long as the rest of the launcher."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import dashboard.launcher.commands; print(*sys.modules)"
    python = [sys.executable, "-I", "-S", "-c", code, str(REPOSITORY)]
    modules = set(subprocess.run(python, capture_output=True, text=True, check=True, timeout=60).stdout.split())
    assert "dashboard.launcher.environment" in modules
    assert modules.isdisjoint({"pathlib", "subprocess", "shutil", "socket", "typing", "dataclasses", "re", "argparse"})


def test_the_bytecode_goes_to_the_data_folder_once_it_is_prepared(machine: Machine) -> None:
    machine.run("doctor")
    assert not (machine.data / "pycache").exists()
    machine.run("doctor")
    assert list(Path(f"{machine.data}/pycache{machine.checkout}").rglob("commands.*.pyc"))
    assert list(machine.checkout.rglob("__pycache__")) == []
