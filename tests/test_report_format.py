"""What docs/report-format.md says is true: its lines verify a report, its limits are those that hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.core import report_bytes, report_check
from dashboard.core.report import ReportContent
from tests.reports import make_content, make_file, make_run

DOCUMENT = (Path(__file__).resolve().parent.parent / "docs/report-format.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
FILE = make_file(make_content(4, [make_run(rounds=2)]))


def verified(program: str, file: Path) -> bool:
    """Whether the lines take the file; AssertionError if they fail on anything but the report."""
    done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "AssertionError: the file was changed" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("number", range(2))
def test_a_few_lines_verify_a_report_and_find_one_that_was_changed(tmp_path: Path, number: int) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(FILE)
    assert verified(PROGRAMS[number], file)
    for changed in (FILE.replace(b"Ada", b"Eve"), FILE.replace(b"sha256:", b"sha256:0")):
        file.write_bytes(changed)
        assert not verified(PROGRAMS[number], file)


def test_its_limits_are_those_that_hold() -> None:
    limits = DOCUMENT[DOCUMENT.index("| of | at most |") :].partition("\n\n")[0]
    known = (
        report_bytes.MOST_DEPTH,
        report_bytes.MOST_VALUES,
        report_bytes.MOST_TEXT,
        report_check.TITLE,
        report_check.AUTHOR,
        report_check.NOTES,
        report_check.MOST_ENTRIES,
        report_check.MOST_COLUMNS,
        report_check.MOST_CELLS,
        report_check.MOST_STEPS,
        report_check.MOST_RUNS,
        report_check.MOST_SERIES,
        report_check.MOST_BLOCKS,
        report_check.MOST_CLAIMS,
        report_check.MOST_LINES,
    )
    assert [one for one in known if f"{one:,}" not in limits] == []
    assert f"{report_bytes.MOST_BYTES >> 20} MiB" in limits


def test_it_names_every_field_of_the_content() -> None:
    assert [name for name in ReportContent.__dataclass_fields__ if f"`{name}" not in DOCUMENT] == []
