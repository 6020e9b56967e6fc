"""dashboard.bench.claims.engine_table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from dashboard.bench.claims.engine_table import engines_markdown, main, recorded_reports
from dashboard.bench.claims.engine_tests import recorded_runs
from dashboard.bench.claims.repeated_runs import outcomes_of
from dashboard.bench.statistics import ClaimOutcome, Report, Result
from dashboard.core.claims.catalogue import all_claims


def report(*claims: ClaimOutcome) -> Report:
    """The report of a benchmark with these outcomes of claims."""
    machine = {"engine": "Docker Engine 28.5.2+dfsg4, API 1.51, cgroup v1, a private host"}
    return Report("2026-11-28 12:29 UTC", machine, (Result("claims", "", "", (), (), claims),))


def outcome(identity: str, *verdicts: str, reason: str = "") -> ClaimOutcome:
    """The outcome of a claim with these verdicts."""
    return ClaimOutcome(identity, f"{identity}.", verdicts, reason)


REPORTS = {
    "icc=false": report(
        outcome("same", "holds"), outcome("veth", "differs", reason="It is not on docker0."), outcome("time", "holds")
    ),
    "debian-trixie": report(
        outcome("same", "holds"), outcome("veth", "holds"), outcome("time", "not-testable", "holds", reason="")
    ),
}


def test_claims_that_are_not_the_same_everywhere_are_listed_with_the_reason() -> None:
    text = engines_markdown(REPORTS)
    assert "1 of 3 claims are confirmed on every engine. The others:" in text
    assert "| claim | `debian-trixie` | `icc=false` |" in text
    assert "| `veth` | ✓ | ≠ |" in text
    assert "| `time` | ○✓ | ✓ |" in text
    assert "| `same` |" not in text
    assert "- `veth` ≠: It is not on docker0." in text
    assert "- `time` ○✓: not in every run." in text


def test_each_engine_has_its_version_options_and_totals() -> None:
    text = engines_markdown(REPORTS)
    assert '| `icc=false` | 28.5.2+dfsg4 | `{"icc": false}` | 2026-11-28 | 2 | 1 | 0 |' in text


def test_a_document_is_parsed_back_into_the_reports_that_it_was_written_from() -> None:
    text = engines_markdown(REPORTS)
    assert engines_markdown(recorded_reports(text, ["same"])) == text


def test_a_run_replaces_what_is_recorded_of_its_engine_only(tmp_path: Path) -> None:
    document, path = tmp_path / "engines.md", tmp_path / "icc=false.json"
    document.write_text(engines_markdown(REPORTS))
    again = report(outcome("same", "holds"), outcome("veth", "holds"), outcome("time", "holds"))
    path.write_bytes(msgspec.json.encode(again))
    main(str(document), [str(path)])
    rows = document.read_text().splitlines()
    assert "| `veth` | ✓ | ≠ |" not in rows
    assert any(row.startswith("| `icc=false` |") and row.endswith("| 3 | 0 | 0 |") for row in rows)
    assert "| `time` | ○✓ | ✓ |" in rows


def test_claims_that_ran_alone_replace_these_claims_only(tmp_path: Path) -> None:
    document, path = tmp_path / "engines.md", tmp_path / "icc=false.json"
    veth, gateway = "bridge-veth", "bridge-gateway"
    reports = {"icc=false": report(outcome(gateway, "holds"), outcome(veth, "differs", reason="It is not."))}
    document.write_text(engines_markdown(reports))
    # In another order, and one that did not run before.
    names = (veth, "bridge-mtu")
    printed = [{"id": name, "statement": "", "verdict": "not-testable", "reason": "No bridge."} for name in names]
    path.write_text(json.dumps(printed))
    main(str(document), [str(path)])
    text = document.read_text()
    assert re.search(r"- `bridge-(mtu|veth)` ○, `bridge-(veth|mtu)` ○: No bridge\.", text)
    assert f"`{gateway}` |" not in text
    read = recorded_reports(text, [claim.id for claim in all_claims()])["icc=false"]
    assert {claim.id: claim.verdicts for claim in read.results[0].claims}[veth] == ("not-testable",)


def test_single_claims_can_only_replace_results_of_a_recorded_full_run(tmp_path: Path) -> None:
    document, path = tmp_path / "engines.md", tmp_path / "ipv6.json"
    document.write_text(engines_markdown(REPORTS))
    path.write_text("[]")
    with pytest.raises(SystemExit, match="ipv6 has no recorded run of all claims"):
        main(str(document), [str(path)])


def test_runs_of_the_tests_are_added_and_stay(tmp_path: Path) -> None:
    document, path = tmp_path / "engines.md", tmp_path / "icc=false.xml"
    document.write_text(engines_markdown(REPORTS))
    path.write_text(
        '<testsuites><testsuite timestamp="2026-11-29T04:43:20.1+00:00"><testcase classname="a" name="b"/></testsuite>'
        "</testsuites>"
    )
    main(str(document), [str(path)])
    row = "| `icc=false` | 2026-11-29 | 1 | 0 | 0 | 0 | 0 |"
    assert row in document.read_text().splitlines()
    main(str(document), [])
    assert row in document.read_text().splitlines()


def test_the_document_in_the_repository_is_read_back() -> None:
    text = (Path(__file__).parents[3] / "docs" / "engines.md").read_text()
    reports = recorded_reports(text, [claim.id for claim in all_claims()])
    assert len(reports) > 10
    assert engines_markdown(reports, [claim.id for claim in all_claims()], recorded_runs(text)) == text


def test_a_claim_that_no_engine_has_run_is_listed_and_has_no_outcome() -> None:
    text = engines_markdown(REPORTS, ["same", "newer"])
    assert "## Not run on these engines yet\n\n`newer`.\n" in text
    read = recorded_reports(text, ["same", "newer"])
    assert engines_markdown(read, ["same", "newer"]) == text
    assert all("newer" not in {claim.id for claim in report.results[0].claims} for report in read.values())


def test_the_outcome_of_a_claim_has_every_verdict_once_and_the_last_reason() -> None:
    runs = [
        [{"id": "a", "statement": "A.", "verdict": verdict, "reason": reason}]
        for verdict, reason in (("holds", ""), ("differs", "Why."), ("differs", "Since."))
    ]
    assert outcomes_of(runs) == (ClaimOutcome("a", "A.", ("holds", "differs"), "Since."),)
