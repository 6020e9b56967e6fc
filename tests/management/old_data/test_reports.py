"""Saved and exported reports of version 0013."""

from __future__ import annotations

from tests.management.old_data.installation import Installation
from tests.management.old_data.recorded import CLAIMS, OLD, RECORDED, REPORT, SAVED, recorded, table
from tests.support.terminal import Terminal

#: Columns of a report's CSV that are sentences or drawn paths.
SENTENCES = {"hops", "cause", "unavailable"}


def test_saved_reports_are_exported_byte_for_byte_as_before(old: Installation) -> None:
    for report, file in ((SAVED, REPORT), (OLD["claims_report"], CLAIMS), (OLD["imported_report"], CLAIMS)):
        assert old.open("owner", f"/reports/{report}/export.json").body == file.read_text()
        assert old.open("owner", f"/api/reports/{report}").body == file.read_text()


def test_the_table_of_a_report_has_the_same_columns_and_figures(old: Installation) -> None:
    before = table((RECORDED / "report-0013.csv").read_text())
    after = table(old.open("owner", f"/reports/{SAVED}/export.csv").body)
    columns = list(before[0])
    assert list(after[0])[: len(columns)] == columns, "later columns are at the end"
    for then, now in zip(before, after, strict=True):
        for name in columns:
            assert name in SENTENCES or now[name] == then[name]


def test_a_report_of_the_old_version_is_imported_and_exported_unchanged(old: Installation) -> None:
    browser = old.browser("owner")
    browser.ask("GET", "/")
    for file in (REPORT, CLAIMS):
        copy = browser.post("/api/reports/import?copy=true", recorded(file.name))
        first = browser.post("/api/reports/import", recorded(file.name))
        assert (copy.status, first.status) == (201, 200), (copy.body, first.body)
        assert first.json["existing"] is True
        for report in (copy.json, first.json):
            assert f"sha256:{report['digest']}" == recorded(file.name)["hash"]
            assert old.open("owner", f"{report['url']}export.json").body == file.read_text()
            assert recorded(file.name)["content"]["title"] in old.open("owner", report["url"]).body


def test_the_commands_import_and_export_a_report_of_the_old_version_unchanged(nowhere: Terminal) -> None:
    imported = nowhere.run("report", "import", str(REPORT), "--json")
    assert (imported.code, imported.err) == (0, "")
    exported = nowhere.run("report", "export", imported.json["report"])
    assert (exported.code, exported.out) == (0, REPORT.read_text())
