"""``./netmodes workshop``: the problems of a folder, as text and as JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard import configuration
from dashboard.lab.workshops.files import BUILT_IN
from tests.core.workshops.test_parser import GOOD
from tests.support.terminal import run_here


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mine"
    made.mkdir()
    for name, text in GOOD.items():
        (made / name).write_text(text)
    return made


def test_a_valid_folder_has_no_problems(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run_here(capsys, "workshop", "validate", str(folder))
    assert (done.code, done.out, done.err) == (0, "A workshop: 1 step, no problems.\n", "")
    found = run_here(capsys, "workshop", "validate", str(BUILT_IN / "host-network"), "--json")
    assert found.code == 0
    assert found.json["schema"] == "workshop/1"
    assert (found.json["ok"], found.json["slug"], len(found.json["steps"])) == (True, "host-network", 16)


def test_every_problem_has_file_and_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = folder / "01-launch.md"
    step.write_text(step.read_text().replace("port = 80", "port = 0").replace("title =", "titel ="))
    done = run_here(capsys, "workshop", "validate", str(folder))
    assert (done.code, done.out) == (1, "")
    lines = done.err.splitlines()
    assert any(line.startswith("01-launch.md:19: “port” must be a number") for line in lines), lines
    assert any(line.startswith("01-launch.md:2: “titel” is unknown here") for line in lines), lines
    assert lines[-1] == f"3 problems in {folder}."
    found = run_here(capsys, "workshop", "validate", str(folder), "--json")
    assert (found.code, found.json["ok"], found.json["steps"]) == (1, False, [])
    assert {(one["file"], one["line"]) for one in found.json["problems"]} >= {("01-launch.md", 2), ("01-launch.md", 19)}


def test_an_invalid_path_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path, said in ((tmp_path / "nowhere", "No such file"), (Path(__file__), "not a folder"), (tmp_path, "missing")):
        done = run_here(capsys, "workshop", "validate", str(path))
        assert done.code == 1
        assert said in done.err
        assert "Traceback" not in done.err


def test_wrong_usage_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ((), ("validate",), ("nonsense",)):
        assert run_here(capsys, "workshop", *arguments).code == 2


def test_the_list_has_built_in_and_own_workshops(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = folder.parent / "data" / "workshops"
    own.mkdir(parents=True)
    folder.rename(own / "mine")
    (own / "broken").mkdir()
    monkeypatch.setattr(configuration, "data_dir", lambda: own.parent)
    missing = "workshop.toml: this file is missing: it gives the workshop its title and summary."
    done = run_here(capsys, "workshop", "list")
    assert done.out.splitlines() == [
        "host-network  built-in  16 steps  The host network, step by step",
        "bridge-and-dns  built-in  8 steps  Bridge networks and DNS",
        "from-outside  built-in  20 steps  From outside",
        "across-hosts  built-in  6 steps  Across hosts",
        "mine  own  1 step  A workshop",
        f"broken  own  cannot be used: {missing}",
    ]
    found = run_here(capsys, "workshop", "list", "--json").json
    assert [(one["name"], one["own"], one["ok"]) for one in found["workshops"]] == [
        ("host-network", False, True),
        ("bridge-and-dns", False, True),
        ("from-outside", False, True),
        ("across-hosts", False, True),
        ("mine", True, True),
        ("broken", True, False),
    ]
