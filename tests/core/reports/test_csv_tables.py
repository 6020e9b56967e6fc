"""dashboard.core.reports.csv_tables: all figures, exact, and no formulas."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import replace

import pytest

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.histogram import recorded_counts
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.reports.csv_tables import HISTOGRAMS, PERCENTILES, histogram_lines, percentiles, safe_cell
from tests.core.report_builders import make_content, make_run

RUN = make_run(count=12)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), strict=True))


def test_each_series_is_a_line_with_its_interval() -> None:
    content = make_content(measurements=(RUN,))
    measurement = content.measurements[0].measurement
    lines = read(percentiles(content))
    assert tuple(lines[0]) == PERCENTILES
    assert [(line["column"], line["path"]) for line in lines] == [(one.column, one.path) for one in measurement.series]
    compared = {one.other: one for one in measurement.comparisons}
    for line, one in zip(lines, measurement.series, strict=True):
        assert int(line["n"]) == one.n
        assert line["p99_us"] == ("" if one.p99_us is None else str(one.p99_us))
        assert bool(line["unavailable"]) == bool(one.unavailable)
        if one.key in compared:
            low, high = compared[one.key].ci95_us or (None, None)
            assert (line["ci95_low_us"], line["ci95_high_us"]) == (str(low), str(high))
            assert line["verdict"] == compared[one.key].verdict
    proxied = next(line for line in lines if line["path"] == "published-proxy" and line["n"] != "0")
    assert (proxied["mode"], proxied["payload_bytes"]) == ("bridge", "64")
    assert " > " in proxied["hops"]


def test_a_series_under_load_differs_from_an_idle_one_in_the_last_columns() -> None:
    options = Options(rate=2000.0, under_load=True, conditions=Conditions.ORDINARY)
    loaded, idle = make_run(count=2, options=options), make_run(count=2)
    content = make_content(measurements=(replace(loaded, id="loaded"), replace(idle, id="idle")))
    lines = csv.reader(io.StringIO(percentiles(content)))
    assert next(lines)[-4:] == ["conditions", "rate_per_s", "under_load", "lookup_name"]
    assert {(line[0], *line[-4:]) for line in lines} == {
        ("loaded", "ordinary", "2000.0", "yes", ""),
        ("idle", "quiet", "", "no", ""),
    }


@pytest.mark.parametrize(
    ("probe", "payload", "name"), [(Probe.UDP_RR, "64", ""), (Probe.HTTP, "", ""), (Probe.DNS, "", "www.example.com")]
)
def test_a_series_has_the_payload_or_the_name_that_its_probe_sends(probe: Probe, payload: str, name: str) -> None:
    run = make_run(("bridge",), count=1, options=Options(lookup_name="www.example.com"))
    series = tuple(replace(one, probe=probe) for one in run.measurement.series)
    measured = replace(run, measurement=replace(run.measurement, series=series))
    lines = read(percentiles(make_content(measurements=(measured,))))
    assert {(line["payload_bytes"], line["lookup_name"]) for line in lines} == {(payload, name)}


def test_every_request_is_in_a_histogram() -> None:
    content = make_content(measurements=(RUN,))
    run = content.measurements[0]
    text = "".join(histogram_lines(content))
    lines = read(text)
    assert tuple(lines[0]) == HISTOGRAMS
    counted: Counter[tuple[str, int]] = Counter()
    for line in lines:
        counted[line["series"], int(line["round"])] += int(line["count"])
    assert counted == {(block.series, block.round): block.n for block in run.blocks}
    first = run.blocks[0]
    assert recorded_counts(first.histogram)[0] == (float(lines[0]["value_us"]), int(lines[0]["count"]))
    parts = list(histogram_lines(content, 500))
    assert len(parts) > 3, "a large one comes in parts"
    assert "".join(parts) == text


def test_a_broken_histogram_has_no_lines() -> None:
    run = make_run(count=2)
    broken = replace(run, blocks=(replace(run.blocks[0], histogram=b"\x00\x01nonsense"), *run.blocks[1:]))
    whole = read("".join(histogram_lines(make_content(measurements=(run,)))))
    left = read("".join(histogram_lines(make_content(measurements=(broken,)))))
    assert sum(int(line["count"]) for line in whole) - sum(int(line["count"]) for line in left) == run.blocks[0].n


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("  =1", "'  =1"),
        ("\uff1d1", "'\uff1d1"),
        ("plain", "plain"),
        ("", ""),
        ("a\0b", "ab"),
        ("\0=1", "'=1"),
        (" \0=1", "' =1"),
    ],
)
def test_no_text_becomes_a_formula(text: str, safe: str) -> None:
    assert safe_cell(text) == safe


def test_formulas_quotes_and_newlines_stay_in_one_cell() -> None:
    nasty = '=HYPERLINK("http://192.0.2.1";"x"),\n"|cmd'
    run = make_run(count=3)
    series = tuple(replace(one, column=nasty, target=nasty, unavailable=nasty) for one in run.measurement.series)
    content = make_content(
        measurements=(replace(run, title=nasty, id="@x", measurement=replace(run.measurement, series=series)),)
    )
    for line in read(percentiles(content)):
        assert line["run"] == "'@x"
        assert {line["run_title"], line["column"], line["target"], line["unavailable"]} == {f"'{nasty}"}
    assert all(line["run"] == "'@x" for line in read("".join(histogram_lines(content))))
