"""dashboard.bench.claims.engine_table."""

from __future__ import annotations

from pathlib import Path

import msgspec

from dashboard.bench.claims.engine_table import engines_markdown, main
from dashboard.bench.claims.repeated_runs import outcomes_of
from dashboard.bench.statistics import ClaimOutcome, Report, Result


def report(*claims: ClaimOutcome) -> Report:
    """A report of the benchmark of claims."""
    machine = {"engine": "Docker Engine 28.5.2+dfsg4, API 1.51, cgroup v1, a private host"}
    return Report("2026-11-28 12:29 UTC", machine, (Result("claims", "", "", (), (), claims),))


def outcome(identity: str, *verdicts: str, reason: str = "") -> ClaimOutcome:
    """An outcome."""
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
    assert "1 of 3 claims hold on every engine. The others:" in text
    assert "| claim | `debian-trixie` | `icc=false` |" in text
    assert "| `veth` | ✓ | ≠ |" in text
    assert "| `time` | ○✓ | ✓ |" in text
    assert "| `same` |" not in text
    assert "- `veth` ≠: It is not on docker0." in text
    assert "- `time` ○✓: not in every run." in text


def test_each_engine_has_its_version_options_and_totals() -> None:
    text = engines_markdown(REPORTS)
    assert '| `icc=false` | 28.5.2+dfsg4 | `{"icc": false}` | 2026-11-28 | 2 | 1 | 0 |' in text


def test_a_report_is_read_back_from_its_file_under_the_name_of_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "debian-trixie.json"
    path.write_bytes(msgspec.json.encode(REPORTS["debian-trixie"]))
    assert main([str(path)]) == engines_markdown({"debian-trixie": REPORTS["debian-trixie"]})


def test_the_outcome_of_a_claim_has_every_verdict_once_and_the_last_reason() -> None:
    runs = [
        [{"id": "a", "statement": "A.", "verdict": verdict, "reason": reason}]
        for verdict, reason in (("holds", ""), ("differs", "Why."), ("differs", "Since."))
    ]
    assert outcomes_of(runs) == (ClaimOutcome("a", "A.", ("holds", "differs"), "Since."),)
