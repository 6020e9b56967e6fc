"""Writes docs/engines.md from results of claims and of the test suite on different engines.

Run it as ``python -m dashboard.bench.claims.engine_table docs/engines.md NAME.json NAME.xml…``. Each file is named
after its engine. A JSON file is the output of ``./netmodes bench claims --engine NAME --json``. It may also be the
output of ``./netmodes claims --json ID…`` on that engine, which replaces only the results of these claims. An XML file
is a JUnit file of pytest. Results of other engines stay in the document.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from dashboard.bench.claims.engine_tests import SuiteRun, read_runs, recorded_runs, runs_markdown
from dashboard.bench.claims.repeated_runs import outcomes_of
from dashboard.bench.statistics import ClaimOutcome, Report, Result
from dashboard.core.claims.catalogue import all_claims
from dashboard.core.reports.model import ClaimVerdict
from dashboard.engine.hosts.variants import VARIANTS

NOT_RUN = "## Not run on these engines yet"
SIGNS = {ClaimVerdict.HOLDS: "✓", ClaimVerdict.DIFFERS: "≠", ClaimVerdict.NOT_TESTABLE: "○"}
HEAD = """\
# Claims on other engines

<!-- made by python -m dashboard.bench.claims.engine_table from runs: do not edit -->

Each engine ran every claim once, on a Debian root file system made by `mmdebstrap` ([testing](testing.md)):

<!-- not run: minutes for each engine -->
```console
./netmodes bench claims --quick --engine debian-forky --json > debian-forky.json
var/venv/bin/python -m dashboard.bench.claims.engine_table docs/engines.md *.json
```

✓ confirmed; ≠ differs; ○ not testable there. Several signs: the verdict was not the same in every run.
"""


def outcomes(report: Report) -> dict[str, ClaimOutcome]:
    """The outcomes of the claims of a report, by id."""
    return {claim.id: claim for result in report.results for claim in result.claims}


def engines_markdown(
    reports: Mapping[str, Report], known: Sequence[str] = (), runs: Mapping[str, SuiteRun] | None = None
) -> str:
    """Returns the text of docs/engines.md. It lists the engines, the results of the test suite, the claims that are not
    confirmed on every engine, and the reasons. ``reports`` contains the results of the claims, ``runs`` those of the
    test suite, both by engine. ``known`` contains the ids of all claims; the text also lists those that no engine has
    run."""
    ordered = {name: reports[name] for name in sorted(reports, key=_position)}
    claims = {name: outcomes(report) for name, report in ordered.items()}
    tests = runs_markdown({name: runs[name] for name in sorted(runs, key=_position)} if runs else {})
    parts = (_engines(ordered, claims), tests, _differences(claims), _not_run(claims, known), _reasons(claims))
    return "\n".join([HEAD, "\n\n".join("\n".join(part) for part in parts if part)]) + "\n"


def _position(name: str) -> tuple[int, str]:
    names = list(VARIANTS)
    return (names.index(name) if name in VARIANTS else len(names), name)


def _engines(reports: Mapping[str, Report], claims: Mapping[str, Mapping[str, ClaimOutcome]]) -> list[str]:
    lines = ["## Engines", "", "| engine | version | options | date | confirmed | differs | not testable |"]
    lines.append("|---|---|---|---|--:|--:|--:|")
    for name, report in reports.items():
        version = report.machine["engine"].partition(", ")[0].removeprefix("Docker Engine ")
        options = VARIANTS[name].options_json if name in VARIANTS else ""
        last = [claim.verdicts[-1] for claim in claims[name].values()]
        totals = " | ".join(str(last.count(verdict)) for verdict in ClaimVerdict)
        code = f"`{options}`" if options else ""
        lines.append(f"| `{name}` | {version} | {code} | {report.date.partition(' ')[0]} | {totals} |")
    return lines


def _signs(claim: ClaimOutcome | None) -> str:
    return "".join(SIGNS[ClaimVerdict(verdict)] for verdict in claim.verdicts) if claim else ""


def _differences(claims: Mapping[str, Mapping[str, ClaimOutcome]]) -> list[str]:
    everything = list(dict.fromkeys(identity for engine in claims.values() for identity in engine))
    rows = {identity: [_signs(engine.get(identity)) for engine in claims.values()] for identity in everything}
    same = [identity for identity, row in rows.items() if set(row) == {SIGNS[ClaimVerdict.HOLDS]}]
    lines = ["## Claims", "", f"{len(same)} of {len(everything)} claims are confirmed on every engine. The others:", ""]
    lines.append(f"| claim | {' | '.join(f'`{name}`' for name in claims)} |")
    lines.append(f"|---|{':-:|' * len(claims)}")
    lines += [f"| `{identity}` | {' | '.join(row)} |" for identity, row in rows.items() if identity not in same]
    return lines


def _not_run(claims: Mapping[str, Mapping[str, ClaimOutcome]], known: Sequence[str]) -> list[str]:
    ran = {identity for engine in claims.values() for identity in engine}
    missing = [f"`{identity}`" for identity in known if identity not in ran]
    return [NOT_RUN, "", f"{', '.join(missing)}."] if missing else []


def _reasons(claims: Mapping[str, Mapping[str, ClaimOutcome]]) -> list[str]:
    lines = ["## Why", ""]
    for name, engine in claims.items():
        reasons: dict[str, list[ClaimOutcome]] = {}
        for claim in engine.values():
            if claim.verdicts != (ClaimVerdict.HOLDS,):
                reasons.setdefault(claim.reason, []).append(claim)
        if reasons:
            lines += [f"### {name}", ""]
            lines += [
                f"- {_named(group)}: {_escape(reason or 'not in every run.')}" for reason, group in reasons.items()
            ]
            lines.append("")
    return lines[:-1]


def _named(group: list[ClaimOutcome]) -> str:
    return ", ".join(f"`{claim.id}` {_signs(claim)}" for claim in group)


def _escape(text: str) -> str:
    """Escapes a reason for Markdown. Characters that are already escaped stay unchanged, because a reason may have been
    read from the document."""
    return re.sub(r"(?<!\\)([|*])", r"\\\1", text).replace("<", "&lt;")


def recorded_reports(document: str, claims: Sequence[str]) -> dict[str, Report]:
    """Reads the reports by engine from ``document``, a text that ``engines_markdown`` returned. ``claims`` must contain
    the ids of all claims, because the text does not list those that are confirmed on every engine."""
    head, _, reasons = document.partition("\n## Why\n")
    head, _, missing = head.partition(f"\n{NOT_RUN}\n")
    claims = [claim for claim in claims if f"`{claim}`" not in missing]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in head.splitlines() if line[:1] == "|"]
    names = [cell.strip("`") for cell in next((row[1:] for row in rows if row[0] == "claim"), ())]
    signs = {row[0].strip("`"): row[1:] for row in rows if len(row) == len(names) + 1 and row[0] != "claim"}
    # The table of tests comes later and has as many columns. Reversed, so that rows of the first table replace its
    # rows.
    engines = {row[0].strip("`"): row for row in reversed(rows) if len(row) == 7 and row[0].startswith("`")}
    why = {
        (section.partition("\n")[0], claim): reason
        for section in reasons.split("\n### ")[1:]
        for line in section.splitlines()
        if line.startswith("- ")
        for listed, _, reason in [line.removeprefix("- ").partition(": ")]
        for claim in re.findall("`([^`]+)`", listed)
    }
    reports = {}
    for column, name in enumerate(names):
        outcomes = [
            ClaimOutcome(
                claim, "", _verdicts(signs[claim][column] if claim in signs else "✓"), why.get((name, claim), "")
            )
            for claim in dict.fromkeys((*claims, *signs))
        ]
        version, date = engines[name][1], engines[name][3]
        result = Result("claims", "", "", (), (), tuple(each for each in outcomes if each.verdicts))
        reports[name] = Report(date, {"engine": version}, (result,))
    return reports


def _verdicts(signs: str) -> tuple[str, ...]:
    return tuple(str(verdict) for sign in signs for verdict, known in SIGNS.items() if known == sign)


def _read(path: Path, recorded: Report | None, order: Sequence[str]) -> Report:
    """Reads the report of an engine from a JSON file. If the file is only a list of claims, returns ``recorded``, the
    engine's report in the document, with the results of these claims replaced. Raises SystemExit if ``recorded`` is
    needed but None. ``order`` contains the ids of all claims in the order of the catalogue."""
    text = path.read_bytes()
    if not text.lstrip().startswith(b"["):
        return msgspec.json.decode(text, type=Report)
    new = outcomes_of([msgspec.json.decode(text)])
    if recorded is None:
        raise SystemExit(f"{path}: {path.stem} has no recorded run of all claims that these could replace.")
    changed = outcomes(recorded) | {claim.id: claim for claim in new}
    ordered = sorted(changed.values(), key=lambda claim: order.index(claim.id))
    return replace(recorded, results=(replace(recorded.results[0], claims=tuple(ordered)),))


def main(document: str, paths: Sequence[str]) -> None:
    """Rewrites ``document`` with the results in the files ``paths``."""
    file = Path(document)
    text = file.read_text()
    identities = [claim.id for claim in all_claims()]
    known = recorded_reports(text, identities)
    files = [Path(path) for path in paths]
    new = {path.stem: _read(path, known.get(path.stem), identities) for path in files if path.suffix == ".json"}
    runs = recorded_runs(text) | read_runs(path for path in files if path.suffix == ".xml")
    file.write_text(engines_markdown(known | new, identities, runs))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
