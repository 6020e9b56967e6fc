"""Results of the test suite on other engines, for docs/engines.md. New results are read from JUnit files of pytest,
earlier ones from the document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

TITLE = "## Tests"
HEAD = f"""\
{TITLE}

What `./netmodes test --engine` runs: the tests that may fail on another engine. A test that ran again counts with its
last result. Later runs had more tests. With `--all` there are ten launches and 20 plans; a later run without adds one
of each:

- launches: all modes with `-p`, `-P`, UDP and 127.0.0.1; the owner of each listener is that of `ss`, each DNAT is
  a rule of `iptables-save` or `nft`, each offered path answers, and no other address does.
- plans: `measure host bridge --publish 9080:8080` has a path through docker-proxy exactly if docker-proxy listens.

<!-- not run: minutes for each engine -->
```console
./netmodes test --all --engine debian-forky --junitxml=debian-forky.xml
var/venv/bin/python -m dashboard.bench.claims.engine_table docs/engines.md *.xml
```

| engine | date | passed | failed | skipped | launches | plans |
|---|---|--:|--:|--:|--:|--:|"""
#: The tests that repeat something; the number of repetitions is the last part of the id in brackets.
LAUNCHES = "test_owners_are_those_of_ss_dnat_is_a_rule_and_only_offered_paths_answer"
PLANS = "test_a_measurement_has_a_proxy_path_exactly_where_a_proxy_runs"


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """The result of the test suite on one engine. ``passed``, ``failed`` and ``skipped`` are numbers of tests. The
    tests ``LAUNCHES`` and ``PLANS`` make several repetitions; ``launches`` and ``plans`` are how many of these
    passed."""

    date: str
    passed: int
    failed: int
    skipped: int
    launches: int = 0
    plans: int = 0


def read_runs(paths: Iterable[Path]) -> dict[str, SuiteRun]:
    """Reads JUnit files, and returns the results by engine. A file is named after its engine: ``ENGINE.xml`` or
    ``ENGINE.again.xml``. If a test ran several times, its last result counts."""
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
    repeated = [_repetitions(results, test) for test in (LAUNCHES, PLANS)]
    return SuiteRun(_time(suites[-1]).partition("T")[0], passed, failed, skipped, *repeated)


def _repetitions(results: Mapping[str, str], test: str) -> int:
    """Returns how many repetitions of ``test`` passed. ``results`` maps the id of each test case to its outcome. A test
    case may make several repetitions: their number is the last part of its id."""
    passed = [case for case, outcome in results.items() if outcome == "passed"]
    return sum(int(match[1]) for case in passed if (match := re.search(rf" {test}\[.*-(\d+)\]$", case)))


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
    """The lines of the section of docs/engines.md with the results by engine; an empty list if there are no results."""
    if not runs:
        return []
    return [*HEAD.splitlines()] + [
        f"| `{name}` | {run.date} | {run.passed} | {run.failed} | {run.skipped} | {run.launches} | {run.plans} |"
        for name, run in runs.items()
    ]


def recorded_runs(document: str) -> dict[str, SuiteRun]:
    """Reads the results by engine from the section that ``runs_markdown`` wrote into ``document``."""
    section = document.partition(f"\n{TITLE}\n")[2].partition("\n## ")[0]
    rows = re.findall(rf"^\| `(.+)` \| (\S+) \|{r' (\d+) \|' * 5}$", section, re.MULTILINE)
    return {name: SuiteRun(date, *map(int, numbers)) for name, date, *numbers in rows}
