"""A report as data for the typesetter Typst: texts, tables and charts in the order of the pages.

Long lists are cut and end with the number of omitted entries. Characters that cannot be printed become ``UNKNOWN``.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from dashboard.core.comparison.weight import weigh_row
from dashboard.core.experiments.journal import Trial
from dashboard.core.experiments.messages import Column, Relation, TimelineItem
from dashboard.core.experiments.picture import Picture
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.measurements.conditions import describe_conditions
from dashboard.core.measurements.formatting import NOTHING, format_offset, moment_of
from dashboard.core.measurements.headline import describe_options, probes_of
from dashboard.core.measurements.measurement import Probe
from dashboard.core.paths.words import describe_path
from dashboard.core.reports.charts import (
    ChartTable,
    IntervalChart,
    LineChart,
    ecdf_chart,
    interval_chart,
    latency_table,
    times_chart,
)
from dashboard.core.reports.model import split_evidence
from dashboard.core.reports.view import ReportView, RunView

MAX_TEXT = 600
MAX_NOTES = 12_000
MAX_ROWS = 150
MAX_LINES_FIRST, MAX_LINES_LAST = 60, 40
MAX_ITEMS = 60
#: A longer word gets a break opportunity after each group of so many characters.
LONG_WORD = 16
BREAK = "\u200b"
UNKNOWN = "\ufffd"
_WORD = re.compile(rf"[^\s{BREAK}]{{{LONG_WORD}}}(?=[^\s{BREAK}])")
_PATH_PART = re.compile(r"([MLHVC])([^MLHVC]*)")

Data = dict[str, Any]


def clean(text: str, most: int = MAX_TEXT) -> str:
    """Returns at most ``most`` characters of the text, without control or formatting characters other than line breaks.
    Long words get break opportunities (``BREAK``)."""
    short = text if len(text) <= most else f"{text[: most - 1]}…"
    visible = "".join(char if char.isprintable() or char == "\n" else UNKNOWN for char in short)
    return _WORD.sub(lambda match: match[0] + BREAK, visible)


def alternative_text(text: str, most: int = 2000) -> str:
    """Returns the text for alternative texts and bookmarks: like ``clean``, but words have no break opportunities."""
    return clean(text, most).replace(BREAK, "")


def _share(place: str) -> float:
    return round(float(place.removesuffix("%")) / 100, 5)


def _points(points: str) -> list[list[float]]:
    return [[float(value) / 1000 for value in point.split(",")] for point in points.split()]


def table_data(table: ChartTable, figures: int) -> Data:
    """Returns a table. The first ``figures`` columns after the labels are aligned to the right."""
    return {
        "caption": clean(table.caption),
        "head": [clean(one) for one in table.head],
        "body": [[clean(one) for one in line] for line in table.body],
        "figures": figures,
    }


def intervals_data(chart: IntervalChart) -> Data:
    """Returns a chart of differences. Positions are fractions of the axis, from 0 to 1."""
    return {
        "title": clean(chart.title),
        "description": alternative_text(chart.description),
        "zero": _share(chart.zero),
        "ticks": [[_share(tick.at), clean(tick.text)] for tick in chart.ticks],
        "rows": [
            {"label": clean(row.words), "mark": row.mark, "dash": row.dash, "cut": row.cut}
            | {name: _share(getattr(row, name)) for name in ("low", "at", "high")}
            for row in chart.rows
        ],
    }


def lines_data(chart: LineChart) -> Data:
    """Returns a chart of lines. Positions are fractions of its width and height, from the upper left corner."""
    drawn = chart.drawing
    return {
        "title": clean(chart.title),
        "description": alternative_text(chart.description),
        "across_name": chart.across,
        "unit": drawn.unit,
        "across": [[_share(tick.at), tick.text] for tick in drawn.across],
        "up": [[_share(tick.at), tick.text] for tick in drawn.up],
        "lines": [
            {
                "label": clean(line.words),
                "mark": line.mark,
                "dash": line.dash,
                "end": _share(line.end) if line.end else None,
                "label_at": _share(line.label_at),
                "points": _points(line.points),
                "band": _points(line.band),
                "marks": [[_share(x), _share(y)] for x, y in line.marks],
            }
            for line in drawn.lines
        ],
    }


def _path_data(path: str) -> list[list[float]]:
    """Returns the points of an SVG path (commands M, L, H, V and C): two numbers for a line, six for a curve."""
    points: list[list[float]] = []
    x = y = 0.0
    for letter, rest in _PATH_PART.findall(path):
        numbers = [float(number) for number in rest.replace(",", " ").split()]
        if letter in "HV":
            for number in numbers:
                x, y = (number, y) if letter == "H" else (x, number)
                points.append([x, y])
            continue
        width = 6 if letter == "C" else 2
        for start in range(0, len(numbers) - width + 1, width):
            part = numbers[start : start + width]
            x, y = part[-2:]
            points.append(part)
    return points


def picture_data(picture: Picture) -> Data:
    """Returns the diagram of the network, in the units of ``Picture``."""
    return {
        "width": picture.width,
        "height": picture.height,
        "description": alternative_text(picture.summary),
        "boxes": [
            {name: getattr(box, name) for name in ("kind", "mode", "x", "y", "w", "h")}
            | {"title": clean(box.title, 60), "lines": [clean(line, 60) for line in box.lines]}
            for box in picture.boxes
        ],
        "edges": [{"kind": edge.kind, "mode": edge.mode, "points": _path_data(edge.path)} for edge in picture.edges],
    }


def _columns(columns: Sequence[Column]) -> ChartTable:
    body = []
    for one in columns:
        ports = ", ".join(f"{port.host_address}:{port.host_port} → {port.container_port}" for port in one.published)
        addresses = ", ".join(text for text in one.networks.values() if text)
        line = "\n".join(part for part in (one.setup, one.command) if part)
        body.append((one.title, one.mode, str(one.status), line or "–", ports or "–", addresses or "–"))  # noqa: RUF001
    head = ("column", "mode", "status", "command", "published", "address")
    return ChartTable("Launched containers and published ports", head, tuple(body))


def _rows(snapshot: Snapshot) -> Data:
    """Returns a table of the rows that differ between columns, the most important first. ``whys`` has their reasons,
    ``left`` the number of such rows that the table omits, ``same`` the number of rows that do not differ."""
    differing = sorted((row for row in snapshot.rows if row.relation is not Relation.SAME), key=weigh_row)
    body = []
    for row in differing[:MAX_ROWS]:
        cells = [(column.key, row.cells.get(column.key)) for column in snapshot.columns]
        texts = [f"({row.absent.get(key, 'none')})" if text is None else text for key, text in cells]
        body.append((row.label or row.key, *texts))
    table = ChartTable(
        "One line per fact, with the reason below", ("fact", *(one.title for one in snapshot.columns)), tuple(body)
    )
    return {
        "rows": table_data(table, 0),
        "whys": [clean(row.why) for row in differing[:MAX_ROWS]],
        "left": len(differing) - len(body),
        "same": sum(row.relation is Relation.SAME for row in snapshot.rows),
    }


def _trial(trial: Trial) -> Data | None:
    """Returns the results of the latest use of “Try” as a table with a line for each path; None if there are none."""
    body = tuple(
        (one.title, one.result, NOTHING if one.time_us is None else f"{one.time_us} µs", one.client_seen or NOTHING)
        for one in trial.attempts[:MAX_ITEMS]
    )
    left = len(trial.attempts) - MAX_ITEMS
    more = ((f"The report lists {left} more.", "", "", ""),) if left > 0 else ()
    head = ("path", "result", "time", "the server saw")
    return table_data(ChartTable("Requests over every path", head, body + more), 0) if body else None


def _timeline(items: Sequence[TimelineItem]) -> Data:
    left = len(items) - MAX_LINES_FIRST - MAX_LINES_LAST
    parts = [items] if left <= 0 else [items[:MAX_LINES_FIRST], items[-MAX_LINES_LAST:]]
    head = ("seconds", "event", "cause")
    tables = [
        ChartTable("Events in order", head, tuple((format_offset(one.offset_s), one.text, one.cause) for one in part))
        for part in parts
    ]
    return {"tables": [table_data(table, 0) for table in tables], "left": max(0, left), "count": len(items)}


def _probe(run: RunView, probe: Probe, modes: dict[str, str]) -> Data:
    intervals = interval_chart(run.measurement, probe, modes)
    lines = [(chart, lines_data(chart)) for chart in (ecdf_chart(run, probe), times_chart(run, probe))]
    return {
        "probe": str(probe),
        "about": clean(describe_options(run.measurement, probe)),
        "intervals": intervals_data(intervals) if intervals is not None else None,
        "table": table_data(latency_table(run.measurement, probe), 8),
        "lines": [
            {"chart": data, "table": table_data(chart.table, len(chart.table.head) - 1)}
            for chart, data in lines
            if data["lines"]
        ],
        "missing": [
            clean(f"{describe_path(one.path)}, {one.column}: {one.unavailable}")
            for one in run.measurement.series
            if one.probe is probe and one.unavailable
        ],
    }


def _run(run: RunView, modes: dict[str, str]) -> Data:
    measurement = run.measurement
    conditions = describe_conditions(measurement.options.conditions, measurement.environment.cores_awake)
    ended = measurement.stop_reason or ("" if measurement.stopped is not None else "Not finished.")
    about = f"{ended} Seed {measurement.seed}, {measurement.elapsed_s:.1f} s. Conditions: {conditions}."
    return {
        "title": clean(run.title or "Measurement"),
        "about": clean(about.strip()),
        "probes": [_probe(run, probe, modes) for probe in probes_of(measurement)],
    }


def _cut(texts: Iterable[str]) -> list[str]:
    items = list(texts)
    more = [f"The report lists {len(items) - MAX_ITEMS} more."] if len(items) > MAX_ITEMS else []
    return [clean(text) for text in items[:MAX_ITEMS]] + more


def _evidence(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Returns pairs for a table: the subject of a line of evidence, and what was observed. Long lists are cut."""
    more = [("", f"The report lists {len(lines) - MAX_ITEMS} more.")] if len(lines) > MAX_ITEMS else []
    return [split_evidence(line) for line in lines[:MAX_ITEMS]] + more


def document_data(view: ReportView, notes: Sequence[tuple[str, str]] = (), digest: str = "") -> Data:
    """Returns everything that the document shows. ``notes`` are pairs of a kind (``heading``, ``item``, ``code`` or
    ``paragraph``) and a text. ``digest`` is the SHA-256 of the report's content, 64 hexadecimal digits."""
    saved = moment_of(view.saved_at)
    snapshot = view.snapshot
    facts = [
        ("saved", f"{saved:%Y-%m-%d %H:%M:%S} UTC"),
        ("author", view.author),
        ("tags", ", ".join(view.tags)),
        ("Netmodes", view.netmodes_version),
        ("installation", view.installation),
        ("content hash", f"sha256:{digest}" if digest else ""),
    ]
    document: Data = {
        "title": clean(view.title, 200) or "Report",
        "name": alternative_text(view.title, 200) or "Report",
        "author": alternative_text(view.author, 150),
        "date": [saved.year, saved.month, saved.day, saved.hour, saved.minute, saved.second],
        "facts": [[clean(label), clean(text)] for label, text in facts if text],
        "compared": clean(view.summary.compared, 2000),
        "headlines": _cut(view.summary.headlines),
        "differences": [[clean(difference.sentence), clean(difference.why)] for difference in view.summary.differences],
        "verdicts": _cut(verdict.sentence for verdict in view.summary.verdicts),
        "warnings": _cut(view.summary.warnings),
        "notes": [[kind, clean(text, MAX_NOTES)] for kind, text in notes],
        "runs": [_run(run, view.modes) for run in view.runs],
        "claims": [
            {
                "head": clean(f"{claim.id}: {claim.verdict.word}" + (f" on {claim.engine}" if claim.engine else "")),
                "statement": clean(claim.sentence),
                "reason": clean(claim.reason),
                "source": clean(claim.source),
                "evidence": [[clean(about), clean(observed)] for about, observed in _evidence(claim.evidence)],
            }
            for claim in view.claims
        ],
        "environment": [[clean(fact.label), clean(fact.text)] for fact in view.environment],
        "evidence": [[clean(fact.label), clean(fact.text)] for fact in view.evidence],
        "experiment": None,
    }
    if snapshot is not None:
        document["experiment"] = {
            "picture": picture_data(snapshot.wide),
            "columns": table_data(_columns(snapshot.columns), 0),
            **_rows(snapshot),
            "trial": _trial(snapshot.trial),
            "timeline": _timeline(snapshot.timeline),
        }
    return document
