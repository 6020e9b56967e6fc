"""dashboard.bench.operations.chosen_engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.bench.operations import chosen_engine
from dashboard.bench.operations.chosen_engine import engine_settings

MODULE = "dashboard.bench.operations.chosen_engine"


def test_an_engine_is_a_root_and_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        chosen_engine, "debian_root", lambda suite, data_dir, _say, more: data_dir.joinpath(suite, *more)
    )
    settings = engine_settings("icc=false", tmp_path, lambda _text: None)
    assert settings["NETMODES_ENGINE_ROOT"] == str(tmp_path / "forky/firewalld/dbus")
    assert json.loads(settings["NETMODES_ENGINE_OPTIONS"]) == {"icc": False}
    assert settings["NETMODES_ENGINE_SETUP"] == ""
    firewalld = engine_settings("firewalld", tmp_path, lambda _text: None)
    assert firewalld["NETMODES_ENGINE_ROOT"] == str(tmp_path / "forky" / "firewalld" / "dbus")
    assert firewalld["NETMODES_ENGINE_SETUP"] == "firewalld"
    # Empty, so that options of the caller's environment do not stay.
    assert engine_settings("debian-bookworm", tmp_path, lambda _text: None)["NETMODES_ENGINE_OPTIONS"] == ""


def test_an_unknown_engine_is_wrong_usage_and_the_known_ones_are_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", MODULE, "nonsense", "true"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "There is no engine nonsense: choose from debian-bookworm, " in done.stderr
    assert done.stdout == ""


def test_the_command_runs_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    executed: list[tuple[list[str], str]] = []
    settings = {"NETMODES_ENGINE_ROOT": "/root-of-forky", "NETMODES_ENGINE_OPTIONS": ""}
    monkeypatch.setattr(chosen_engine, "engine_settings", lambda *_: settings)
    monkeypatch.setattr(sys, "argv", ["chosen_engine", "debian-forky", "pytest", "-x"])
    monkeypatch.setattr(
        "os.execvpe", lambda _file, command, variables: executed.append((command, variables["NETMODES_ENGINE_ROOT"]))
    )
    chosen_engine.main()
    assert executed == [(["pytest", "-x"], "/root-of-forky")]
