"""dashboard.bench.claims.engine_tests."""

from __future__ import annotations

import inspect
from pathlib import Path

from dashboard.bench.claims.engine_tests import LAUNCHES, PLANS, SuiteRun, read_runs, recorded_runs, runs_markdown
from tests.lab.experiments import test_any_engine

RUNS = {
    "debian-forky": SuiteRun("2026-11-29", 131, 0, 1, 10, 20),
    "iptables=false": SuiteRun("2026-11-30", 121, 1, 10, 2, 3),
}


def junit(path: Path, timestamp: str, cases: str) -> Path:
    """A JUnit file with these cases, as pytest writes it."""
    path.write_text(f'<testsuites><testsuite name="pytest" timestamp="{timestamp}">{cases}</testsuite></testsuites>')
    return path


def case(name: str, result: str = "") -> str:
    """The element of a test in a JUnit file."""
    return f'<testcase classname="tests.engine.facts.test_ports" name="{name}">{result}</testcase>'


def test_a_run_has_the_numbers_of_its_file_and_the_name_of_the_engine(tmp_path: Path) -> None:
    cases = case("one") + case("two", "<failure/>") + case("three", "<error/>") + case("four", "<skipped/>")
    path = junit(tmp_path / "iptables=false.xml", "2026-11-29T23:43:20.101+00:00", cases)
    assert read_runs([path]) == {"iptables=false": SuiteRun("2026-11-29", 1, 2, 1)}


def test_the_last_result_of_a_repeated_test_counts(tmp_path: Path) -> None:
    later = junit(tmp_path / "podman.again.xml", "2026-11-30T00:03:20.101+00:00", case("two"))
    first = junit(tmp_path / "podman.xml", "2026-11-29T23:43:20.101+00:00", case("one") + case("two", "<failure/>"))
    assert read_runs([later, first]) == {"podman": SuiteRun("2026-11-30", 2, 0, 0)}


def test_only_repetitions_in_cases_that_passed_are_counted(tmp_path: Path) -> None:
    for test in (LAUNCHES, PLANS):
        assert inspect.iscoroutinefunction(getattr(test_any_engine, test))
    cases = case(f"{LAUNCHES}[engine-2]") + case(f"{LAUNCHES}[engine-8]") + case(f"{LAUNCHES}[newest-8]", "<skipped/>")
    cases += case(f"{PLANS}[engine-3]") + case(f"{PLANS}[engine-17]", "<failure/>")
    run = read_runs([junit(tmp_path / "ipv6.xml", "2026-11-29T23:43:20.101+00:00", cases)])["ipv6"]
    assert (run.launches, run.plans) == (10, 3)


def test_an_error_after_a_test_is_not_lost(tmp_path: Path) -> None:
    """pytest writes a second element for a test that failed and has an error at its end as well."""
    path = junit(tmp_path / "ipv6.xml", "2026-11-29T23:43:20.101+00:00", case("one", "<failure/>") + case("one"))
    assert read_runs([path])["ipv6"].failed == 1


def test_the_section_is_read_back() -> None:
    text = "\n".join(["# Claims", "", *runs_markdown(RUNS), "", "## Claims", "", "| `ipv6` | x | 1 | 2 | 3 |"])
    assert recorded_runs(text) == RUNS
    assert runs_markdown({}) == []
    assert recorded_runs("# Claims") == {}
