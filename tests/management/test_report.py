"""``./netmodes report``: a document on stdout or a reason on stderr, with the matching exit code."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.export.formats import Format
from dashboard.models import Report
from dashboard.store.reports import saved as saved_reports
from tests.support.reports import make_content, make_file, make_run
from tests.support.terminal import run_here

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
FILE = make_file(make_content(4, [make_run(rounds=12)]))
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def report() -> str:
    return saved_reports.import_file(FILE)


def test_reports_are_listed_as_text_and_as_json(capsys: Capture, report: str) -> None:
    done = run_here(capsys, "report", "list")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == f"{report}  Host or bridge  #lab #november imported from inst234567"
    found = run_here(capsys, "report", "list", "BRIDGE", "--tag", "lab", "--json").json
    assert [one["id"] for one in found["reports"]] == [report]
    assert run_here(capsys, "report", "list", "paris").out.strip() == "No reports found."
    assert run_here(capsys, "report", "list", "--archived", "--json").json["reports"] == []


def test_a_list_is_no_error_without_standard_output(tmp_path: Path) -> None:
    """The shell closes it with ``>&-``."""
    command = ["sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, str(ROOT / "manage.py"), "report", "list"]
    environment = os.environ | {"NETMODES_DATA_DIR": str(tmp_path)}
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("form", [one for one in Format if one is not Format.PDF])
def test_each_format_is_written_completely_to_stdout_or_a_file(
    capsys: Capture, tmp_path: Path, report: str, form: Format
) -> None:
    done = run_here(capsys, "report", "export", report, "--format", str(form))
    assert (done.code, done.err) == (0, "")
    assert len(done.out) > 100
    file = tmp_path / "out"
    again = run_here(capsys, "report", "export", report, "--format", str(form), "--output", str(file))
    assert (again.code, again.out) == (0, "")
    assert again.err.startswith(f"Wrote {file} (")
    assert file.read_bytes() == done.out.encode()
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_a_pdf_is_written_to_a_file(capsys: Capture, tmp_path: Path, report: str) -> None:
    file = tmp_path / "report.pdf"
    done = run_here(capsys, "report", "export", report, "--format", "pdf", "--output", str(file))
    assert (done.code, done.out) == (0, ""), done.err
    assert file.read_bytes().startswith(b"%PDF-")


def test_json_is_exported_as_the_same_bytes(capsys: Capture, tmp_path: Path, report: str) -> None:
    file = tmp_path / "report.json"
    run_here(capsys, "report", "export", report, "--output", str(file))
    assert file.read_bytes() == FILE
    Report.objects.all().delete()
    done = run_here(capsys, "report", "import", str(file), "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["imported_from"] == "inst234567"
    assert run_here(capsys, "report", "export", done.json["report"]).out.encode() == FILE


def test_a_report_is_imported_from_stdin(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(FILE)))
    done = run_here(capsys, "report", "import", "-")
    assert done.code == 0
    assert done.out.strip() == f"Imported “Host or bridge” as report {Report.objects.get().pk}."


def test_a_second_import_returns_the_first_report_unless_a_copy_is_requested(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "lab.json"
    file.write_bytes(FILE)
    first = run_here(capsys, "report", "import", str(file), "--json").json
    assert first["existing"] is False
    again = run_here(capsys, "report", "import", str(file))
    assert (again.code, again.err) == (0, "")
    assert again.out.startswith("You already have this report, imported on ")
    assert again.out.rstrip().endswith(
        f"from lab.json: “Host or bridge”, report {first['report']}. Add --copy to import it again."
    )
    known = run_here(capsys, "report", "import", str(file), "--json").json
    assert (known["report"], known["existing"]) == (first["report"], True)
    copy = run_here(capsys, "report", "import", str(file), "--copy", "--json").json
    assert copy["report"] != first["report"]
    assert Report.objects.count() == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"{}", "not a report"),
        (FILE.replace(b"Ada", b"Eve"), "hash does not match"),
        (b" " * ((32 << 20) + 1), "limit is 33,554,432"),
    ],
)
def test_an_invalid_report_is_exit_1_and_is_not_stored(
    capsys: Capture, tmp_path: Path, data: bytes, words: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    done = run_here(capsys, "report", "import", str(file), "--json")
    assert (done.code, done.out) == (1, "")
    assert words in done.err
    assert done.err.startswith("Nothing was imported.")
    assert Report.objects.count() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("export", "nothing"), 1, "There is no report “nothing”. Run ./netmodes report list."),
        (("export", "nothing", "--format", "docx"), 2, "invalid choice: 'docx'"),
        (("export",), 2, "ID"),
        ((), 2, "list | export | import"),
        (("import", "/nowhere/at/all.json"), 1, "Cannot read /nowhere/at/all.json: No such file or directory."),
        (("import", "/"), 1, "Cannot read /: Is a directory."),
    ],
)
def test_an_error_is_reported_in_a_sentence_without_a_document(
    capsys: Capture, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run_here(capsys, "report", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert "Traceback" not in done.err


def test_an_unwritable_file_is_an_error_and_a_device_is_written(capsys: Capture, report: str) -> None:
    done = run_here(capsys, "report", "export", report, "--output", "/nowhere/report.json")
    assert (done.code, done.out) == (1, "")
    assert "Cannot write /nowhere/report.json: No such file or directory." in done.err
    assert run_here(capsys, "report", "export", report, "--output", "/dev/null").code == 0
    assert Path("/dev/null").is_char_device()


def test_a_deleted_report_is_neither_listed_nor_exported(capsys: Capture, report: str) -> None:
    saved_reports.delete(report)
    assert run_here(capsys, "report", "list", "--json").json["total"] == 0
    assert run_here(capsys, "report", "export", report).code == 1


def test_the_exported_document_names_its_schema(capsys: Capture, report: str) -> None:
    document = json.loads(run_here(capsys, "report", "export", report).out)
    assert sorted(document) == ["content", "hash", "schema"]
    assert document["schema"] == "report/1"
