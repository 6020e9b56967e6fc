"""Runs of the tests on other engines, for docs/engines.md: read from JUnit files of pytest, and from the document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

TITLE = "## Tests"
HEAD = f"""\
{TITLE}

What `./netmodes test --engine` runs: the tests that may fail on another engine. `--all` adds ten launches of
all modes and 20 plans of measurements. A test that ran again counts with its last result. Later runs had more tests.

<!-- not run: minutes for each engine -->
```console
./netmodes test --all --engine debian-forky --junitxml=debian-forky.xml
var/venv/bin/python -m dashboard.bench.claims.engine_table docs/engines.md *.xml
```

| engine | date | passed | failed | skipped |
|---|---|--:|--:|--:|"""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """The numbers of a run, with its date."""

    date: str
    passed: int
    failed: int
    skipped: int


def read_runs(paths: Iterable[Path]) -> dict[str, SuiteRun]:
    """The runs in JUnit files by engine. ``NAME.xml`` and ``NAME.again.xml`` are both of the engine NAME: for each test
    the last result counts."""
    suites: dict[str, list[ET.Element]] = {}
    for path in paths:
        # The files are those of our own pytest.
        tree = ET.parse(path)  # noqa: S314
        suites.setdefault(path.name.partition(".")[0], []).extend(tree.iter("testsuite"))
    return {name: _run(sorted(found, key=_time)) for name, found in suites.items()}


def _time(suite: ET.Element) -> str:
    return suite.get("timestamp", "")


def _run(suites: Sequence[ET.Element]) -> SuiteRun:
    results: dict[str, str] = {}
    for suite in suites:
        results |= _results(suite)
    outcomes = list(results.values())
    passed, failed, skipped = (outcomes.count(each) for each in ("passed", "failed", "skipped"))
    return SuiteRun(_time(suites[-1]).partition("T")[0], passed, failed, skipped)


def _results(suite: ET.Element) -> dict[str, str]:
    results: dict[str, str] = {}
    for case in suite.iter("testcase"):
        test, outcome = f"{case.get('classname')} {case.get('name')}", _outcome(case)
        # A test that fails and has an error afterwards has two elements.
        results[test] = "failed" if results.get(test) == "failed" else outcome
    return results


def _outcome(case: ET.Element) -> str:
    if any(case.find(kind) is not None for kind in ("failure", "error")):
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def runs_markdown(runs: Mapping[str, SuiteRun]) -> list[str]:
    """The section of the document; empty without a run."""
    if not runs:
        return []
    return [*HEAD.splitlines()] + [
        f"| `{name}` | {run.date} | {run.passed} | {run.failed} | {run.skipped} |" for name, run in runs.items()
    ]


def recorded_runs(document: str) -> dict[str, SuiteRun]:
    """Reads the runs back from a document with ``runs_markdown``."""
    section = document.partition(f"\n{TITLE}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(.+)` \| (\S+) \| (\d+) \| (\d+) \| (\d+) \|$", section, re.MULTILINE)
    return {name: SuiteRun(date, *map(int, numbers)) for name, date, *numbers in rows}
