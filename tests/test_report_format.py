"""docs/report-format.md is correct: its commands verify a report, and its limits are the enforced ones."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from dashboard.core.experiments.journal import Attempt, Trial
from dashboard.core.experiments.machines import journals
from dashboard.core.measurements.measurement import MAX_BLOCKS, MAX_SERIES
from dashboard.core.paths import attempts
from dashboard.core.paths.multicast import MULTICAST, RECEIVED
from dashboard.core.reports import parse as report_parse
from dashboard.core.reports import validate as report_validate
from dashboard.core.reports.model import ReportContent
from tests.support.reports import make_content, make_file, make_run

DOCUMENT = (Path(__file__).resolve().parent.parent / "docs/report-format.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
FILE = make_file(make_content(4, [make_run(rounds=2)]))


def verified(program: str, file: Path) -> bool:
    """Whether the commands accept the file. AssertionError if they fail for another reason than the report."""
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


def test_the_limits_in_the_document_are_the_enforced_ones() -> None:
    limits = DOCUMENT[DOCUMENT.index("| of | at most |") :].partition("\n\n")[0]
    known = (
        report_parse.MAX_DEPTH,
        report_parse.MAX_VALUES,
        report_parse.MAX_TEXT,
        report_validate.MAX_TITLE,
        report_validate.MAX_AUTHOR,
        report_validate.MAX_NOTES,
        report_validate.MAX_ENTRIES,
        report_validate.MAX_COLUMNS,
        report_validate.MAX_CELLS,
        report_validate.MAX_STEPS,
        report_validate.MAX_RUNS,
        MAX_SERIES,
        MAX_BLOCKS,
        report_validate.MAX_CLAIMS,
        report_validate.MAX_LINES,
    )
    assert [one for one in known if f"{one:,}" not in limits] == []
    assert f"{report_parse.MAX_BYTES >> 20} MiB" in limits


def test_the_document_names_every_field_of_the_content() -> None:
    assert [name for name in ReportContent.__dataclass_fields__ if f"`{name}" not in DOCUMENT] == []


def test_the_document_names_every_field_of_requests_and_their_limits() -> None:
    text = " ".join(DOCUMENT[DOCUMENT.index("`facts.trial`") :].partition("\n\n")[0].split())
    assert [one.name for kind in (Trial, Attempt) for one in fields(kind) if f"`{one.name}`" not in text] == []
    assert f"at most {journals.MAX_ATTEMPTS}" in text
    assert f"first {attempts.MAX_BODY} characters" in text
    assert f"After {attempts.MAX_TRIALS} requests" in text
    assert f"`{MULTICAST}`" in text
    assert f"`{RECEIVED}`" in text
