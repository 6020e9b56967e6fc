"""A report as Markdown for a pull request (GitHub Flavored Markdown): its summary and its figures with their intervals.

Texts may come from anyone. Characters that Markdown or HTML would interpret are escaped, and each text stays on one
line. Notes are omitted, because they contain Markdown.
"""

import re
from collections.abc import Iterable, Sequence

from dashboard.core.comparison.weight import weigh_row
from dashboard.core.experiments.journal import Trial
from dashboard.core.experiments.messages import Column, Row
from dashboard.core.measurements.conditions import describe_conditions
from dashboard.core.measurements.formatting import moment_of
from dashboard.core.measurements.headline import describe_options, probes_of
from dashboard.core.measurements.measurement import Measurement
from dashboard.core.reports.charts import latency_table
from dashboard.core.reports.view import ReportView

MAX_ROWS = 30
MAX_CELL = 200
#: Characters with a meaning in Markdown within a line, or to a forge: mentions, issues, links.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~<>&@$^=-])")
#: At the beginning of a line this is an item of an ordered list.
_NUMBERED = re.compile(r"^(\d+)(?=\.)")
_SCHEME = re.compile(r"(?i)\b(https?|ftp|mailto|www)(?=[:.])")


def escape(text: str, most: int = MAX_CELL) -> str:
    """Returns the text escaped for Markdown, on one line, shortened to ``most`` characters before it is escaped."""
    flat = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    short = flat if len(flat) <= most else f"{flat[: most - 1]}…"
    escaped = _NUMBERED.sub(r"\1\\", _SPECIAL.sub(_escape_character, short))
    return _SCHEME.sub(lambda match: f"{match[0]}\u200b", escaped)


def _escape_character(match: re.Match[str]) -> str:
    entity = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;", "@": "&#64;", "`": "&#96;"}
    return entity.get(match[0], f"\\{match[0]}")


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(escape(cell) for cell in line)} |" for line in body]
    return [f"| {' | '.join(escape(cell) for cell in head)} |", f"|{' --- |' * len(head)}", *lines]


def _differences(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    differing = sorted((row for row in rows if row.differs), key=weigh_row)
    if not differing:
        return []
    body = [
        (
            row.label or f"{row.key} {row.field}".strip(),
            *(
                text if (text := row.cells.get(column.key)) is not None else f"({row.absent.get(column.key, 'none')})"
                for column in columns
            ),
        )
        for row in differing[:MAX_ROWS]
    ]
    more = len(differing) - len(body)
    tail = ["", f"{more} more rows differ: see the report."] if more > 0 else []
    return ["### Differences", "", *_table(["fact", *(column.title for column in columns)], body), *tail, ""]


def _trial(trial: Trial) -> list[str]:
    """Returns the results of the latest use of “Try” as the lines of a table; empty if there are none."""
    if not trial.attempts:
        return []
    body = [
        (
            attempt.title,
            attempt.url,
            attempt.result,
            "" if attempt.time_us is None else f"{attempt.time_us} µs",
            attempt.client_seen,
        )
        for attempt in trial.attempts
    ]
    return ["### Requests over every path", "", *_table(("path", "URL", "result", "time", "the server saw"), body), ""]


def _latency(title: str, measurement: Measurement) -> list[str]:
    lines: list[str] = []
    for probe in probes_of(measurement):
        table = latency_table(measurement, probe)
        if not table.body:
            continue
        cells = [(*line[:1], line[2], line[4], *line[7:10], line[1]) for line in table.body]
        head = ("path", "p50 µs", "p99 µs", "difference µs", "95 % interval", "verdict", "n")
        lines += [f"### {escape(title)}: {escape(str(probe))}", ""]
        lines += [escape(describe_options(measurement, probe), 500), "", *_table(head, cells), ""]
    if lines:
        conditions = describe_conditions(measurement.options.conditions, measurement.environment.cores_awake)
        lines += [f"Conditions: {escape(conditions)}.", ""]
    return lines


def markdown(view: ReportView, digest: str = "") -> str:
    """Returns the report as Markdown: headlines, summary, differing rows, latency, claims and environment. ``digest``
    is the SHA-256 of the content, 64 hexadecimal digits; if it is empty, the line with the hash is omitted."""
    saved = moment_of(view.saved_at).strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"## {escape(view.title)}", ""]
    lines += [text for headline in view.summary.headlines for text in (f"**{escape(headline, 500)}**", "")]
    lines += [escape(view.summary.compared, 1000), ""]
    lines += [f"- {escape(difference.sentence, 500)}" for difference in view.summary.differences]
    lines += [f"- {escape(verdict.sentence, 500)}" for verdict in view.summary.verdicts]
    if view.summary.warnings:
        lines += ["", "**Warnings**", ""]
        lines += [f"- {escape(text, 500)}" for text in view.summary.warnings]
    lines.append("")
    if view.snapshot is not None:
        lines += _differences(view.snapshot.columns, view.snapshot.rows)
        lines += _trial(view.snapshot.trial)
    for run in view.runs:
        lines += _latency(run.title, run.measurement)
    if view.claims:
        body = [(one.id, one.sentence, one.verdict.word, one.engine, one.reason) for one in view.claims]
        lines += ["### Claims", "", *_table(("claim", "statement", "verdict", "engine", "reason"), body), ""]
    if view.environment:
        body_of_facts = [(fact.label, fact.text.replace("\n", ", ")) for fact in view.environment]
        lines += ["### Environment", "", *_table(("", "value"), body_of_facts), ""]
    by = f" by {escape(view.author)}" if view.author else ""
    lines.append(f"Saved {saved}{by} with Netmodes {escape(view.netmodes_version) or '(version unknown)'}.")
    if digest:
        lines.append(f"Content hash: `sha256:{re.sub('[^0-9a-f]', '', digest)}`")
    return "\n".join(lines).rstrip() + "\n"
