"""Files and programs of the start of a private host."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.engine.hosts.user_namespace import files


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert files.read_lines(f"{tmp_path}/missing") == []
    files.write(f"{tmp_path}/file", "a b\n\nc\n")
    files.copy(f"{tmp_path}/file", f"{tmp_path}/copy")
    assert files.read_lines(f"{tmp_path}/copy") == ["a b", "", "c"]


def test_a_program_gets_its_input(tmp_path: Path) -> None:
    files.run_program(["tee", f"{tmp_path}/file"], "text\n")
    assert (tmp_path / "file").read_text() == "text\n"


@pytest.mark.parametrize("command", [["sh", "-c", "exit 3"], ["no-such-program"]])
def test_only_a_required_program_that_fails_or_is_missing_ends_the_start(command: list[str]) -> None:
    files.run_program(command, is_required=False)
    with pytest.raises(SystemExit) as ended:
        files.run_program(command)
    assert ended.value.code == 1
