"""dashboard.core.reports.document: content in order, long lists cut with a count, only printable texts."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import pytest

from dashboard.core.experiments.journal import Attempt, Trial
from dashboard.core.experiments.messages import Relation, Row, TimelineItem
from dashboard.core.experiments.picture import Edge, Picture
from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import Options, Probe, Stop
from dashboard.core.reports.document import (
    BREAK,
    LONG_WORD,
    MAX_ITEMS,
    UNKNOWN,
    alternative_text,
    clean,
    document_data,
    picture_data,
)
from dashboard.core.reports.model import ClaimResult, ClaimVerdict
from dashboard.core.reports.view import ReportView, build_view
from tests.core.report_builders import make_content, make_run


@cache
def view() -> ReportView:
    claims = (ClaimResult("dns", "It holds.", "FACTS", ClaimVerdict.HOLDS, ("seen",), "", "with Podman", "Podman 5"),)
    return build_view(make_content(measurements=(make_run(count=12),), claims=claims))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("two\nlines", "two\nlines"),
        ("a\x1b[31m\0\u202e\u2066b", f"a{UNKNOWN}[31m{UNKNOWN * 3}b"),
        ("x" * 700, None),
        ("net.ipv4.ip_unprivileged_port_start", f"net.ipv4.ip_unpr{BREAK}ivileged_port_st{BREAK}art"),
    ],
)
def test_texts_are_short_printable_and_breakable(text: str, cleaned: str | None) -> None:
    found = clean(text)
    if cleaned is not None:
        assert found == cleaned
    assert len(found.replace(BREAK, "")) <= 600
    assert max(len(word) for line in found.split() for word in line.split(BREAK)) <= LONG_WORD


def test_the_document_is_json_and_has_every_chapter() -> None:
    data = document_data(view(), [("paragraph", "A note.")], "ab" * 32)
    assert json.loads(json.dumps(data)) == data
    assert ["content hash", clean("sha256:" + "ab" * 32)] in data["facts"]
    assert data["notes"] == [["paragraph", "A note."]]
    assert data["differences"]
    assert data["warnings"]
    assert [(one["head"], one["statement"]) for one in data["claims"]] == [
        ("dns: confirmed on Podman 5", "It holds. This applies with Podman.")
    ]
    experiment = data["experiment"]
    assert len(experiment["rows"]["body"]) == len(experiment["whys"])
    assert [line[0] for line in experiment["columns"]["body"]] == ["this machine", "host", "bridge", "none"]
    assert {part["kind"] for part in experiment["picture"]["boxes"]} >= {"machine", "stack", "host-stack"}
    probe = data["runs"][0]["probes"][0]
    assert len(probe["lines"]) == 2
    assert probe["missing"]
    assert {row["mark"] for row in probe["intervals"]["rows"]} >= {"loopback", "published-proxy"}
    for line in probe["lines"][1]["chart"]["lines"]:
        assert 0 <= line["label_at"] <= 1
        assert line["label"].replace(BREAK, "") in {
            row["label"].replace(BREAK, "") for row in probe["intervals"]["rows"]
        }


def test_charts_and_pictures_stay_within_their_bounds() -> None:
    data = document_data(view())
    for chart in data["runs"][0]["probes"][0]["lines"]:
        for line in chart["chart"]["lines"]:
            spots = [value for part in ("points", "band", "marks") for spot in line[part] for value in spot]
            assert spots
            assert min(spots) >= 0
            assert max(spots) <= 1
    picture = data["experiment"]["picture"]
    for edge in picture["edges"]:
        assert len(edge["points"]) > 1
        assert all(len(part) in {2, 6} for part in edge["points"])
        for part in edge["points"]:
            assert all(0 <= x <= picture["width"] for x in part[::2])


def test_a_long_timeline_and_many_rows_are_cut_with_a_count() -> None:
    snapshot = view().snapshot
    assert snapshot is not None
    items = tuple(TimelineItem(number, 1.0, float(number), f"entry {number}", "kernel") for number in range(10_000))
    rows = tuple(replace(snapshot.rows[0], key=str(number)) for number in range(400))
    data = document_data(replace(view(), snapshot=replace(snapshot, timeline=items, rows=rows)))["experiment"]
    first, last = data["timeline"]["tables"]
    assert (data["timeline"]["left"], data["timeline"]["count"]) == (9900, 10_000)
    assert len(first["body"]) + len(last["body"]) == 100
    assert last["body"][-1][1] == "entry 9999"
    assert (len(data["rows"]["body"]), data["left"], data["same"]) == (150, 250, 0)


@pytest.mark.parametrize(("more", "last"), [(0, "request 59"), (1, "The report lists 1 more.")])
def test_many_requests_are_cut_with_a_count(more: int, last: str) -> None:
    snapshot = view().snapshot
    assert snapshot is not None
    attempts = tuple(
        Attempt("loopback", f"request {number}", "machine", "host", "", "") for number in range(MAX_ITEMS + more)
    )
    shown = replace(view(), snapshot=replace(snapshot, trial=Trial(attempts)))
    lines = [line[0] for line in document_data(shown)["experiment"]["trial"]["body"]]
    assert (len(lines), lines[-1]) == (MAX_ITEMS + more, last)


def test_a_report_of_claims_alone_has_no_columns() -> None:
    content = make_content(experiment=None, measurements=(), author="")
    data = document_data(build_view(content))
    assert data["experiment"] is None
    assert data["runs"] == []
    assert data["author"] == ""


@pytest.mark.parametrize(
    ("text", "most", "cleaned"),
    [
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
        ("x" * LONG_WORD, 100, "x" * LONG_WORD),
        ("x" * (LONG_WORD + 1), 100, "x" * LONG_WORD + BREAK + "x"),
    ],
)
def test_a_text_is_cut_and_broken_only_beyond_its_limits(text: str, most: int, cleaned: str) -> None:
    assert clean(text, most) == cleaned


def test_alternative_texts_have_no_places_to_break() -> None:
    assert alternative_text("net.ipv4.ip_unprivileged_port_start\0") == f"net.ipv4.ip_unprivileged_port_start{UNKNOWN}"
    assert alternative_text("abcdef", 5) == "abcd…"


@pytest.mark.parametrize(
    ("path", "points"),
    [
        ("M1 2 H5 V7 L8 9", [[1, 2], [5, 2], [5, 7], [8, 9]]),
        ("M1,2 C1 2 3 4 5 6 H9", [[1, 2], [1, 2, 3, 4, 5, 6], [9, 6]]),
        ("M0 0 L1 2 3 4", [[0, 0], [1, 2], [3, 4]]),
        ("M0 0 L1 2 3", [[0, 0], [1, 2]]),
        ("M0 0 V3 4 H5", [[0, 0], [0, 3], [0, 4], [5, 4]]),
        ("", []),
    ],
)
def test_the_path_of_an_edge_becomes_points(path: str, points: list[list[float]]) -> None:
    picture = Picture(10, 20, edges=(Edge("a", "cable", "host", path),))
    assert picture_data(picture)["edges"] == [{"kind": "cable", "mode": "host", "points": points}]


def test_known_facts_are_listed_with_their_labels() -> None:
    data = document_data(view())
    assert data["facts"] == [
        ["saved", "2026-05-28 20:26:40 UTC"],
        ["author", "Ada"],
        ["tags", "lab"],
        ["Netmodes", "0.1.0"],
        ["installation", "a1b2c3d4"],
    ]
    assert (data["date"], data["name"], data["author"]) == ([2026, 5, 28, 20, 26, 40], "Host or bridge", "Ada")
    unnamed = document_data(replace(view(), title="", tags=("a", "b")))
    assert (unnamed["title"], unnamed["name"]) == ("Report", "Report")
    assert ["tags", "a, b"] in unnamed["facts"]


def test_columns_are_listed_with_what_was_launched_and_published() -> None:
    body = document_data(view())["experiment"]["columns"]["body"]
    nothing = "\N{EN DASH}"
    assert body[0] == ["this machine", "machine", "running", nothing, nothing, nothing]
    command = "docker run --rm -d --network bridge -p 8081:80 nginx"
    assert body[2] == ["bridge", "bridge", "running", command, "0.0.0.0:8081 → 80, :::8081 → 80", "172.17.0.2"]
    snapshot = view().snapshot
    assert snapshot is not None
    columns = tuple(replace(one, setup="docker network create lab") for one in snapshot.columns)
    changed = replace(view(), snapshot=replace(snapshot, columns=columns))
    body = document_data(changed)["experiment"]["columns"]["body"]
    assert [line[3] for line in body[:3:2]] == ["docker network create lab", f"docker network create lab\n{command}"]


def test_a_row_shows_its_cells_or_the_word_for_their_absence() -> None:
    snapshot = view().snapshot
    assert snapshot is not None
    keys = [one.key for one in snapshot.columns]
    cells = {keys[0]: "a", keys[1]: None, keys[2]: None}
    row = Row("ports", "80", "", cells, Relation.ONLY, "", "Because.", absent={keys[1]: "discarded"})
    rows = (row, replace(row, label="Port", relation=Relation.SAME), replace(row, label="Port"))
    data = document_data(replace(view(), snapshot=replace(snapshot, rows=rows)))["experiment"]
    assert data["rows"]["body"] == [
        ["80", "a", "(discarded)", "(none)", "(none)"],
        ["Port", "a", "(discarded)", "(none)", "(none)"],
    ]
    assert (data["whys"], data["left"], data["same"]) == (["Because.", "Because."], 0, 1)


@pytest.mark.parametrize(("count", "parts", "left"), [(99, [99], 0), (100, [100], 0), (101, [60, 40], 1)])
def test_a_timeline_is_cut_beyond_a_hundred_items(count: int, parts: list[int], left: int) -> None:
    snapshot = view().snapshot
    assert snapshot is not None
    items = tuple(TimelineItem(number, 1.0, float(number), f"entry {number}", "kernel") for number in range(count))
    data = document_data(replace(view(), snapshot=replace(snapshot, timeline=items)))["experiment"]["timeline"]
    assert ([len(one["body"]) for one in data["tables"]], data["left"], data["count"]) == (parts, left, count)
    assert data["tables"][0]["body"][0] == ["0.000", "entry 0", "kernel"]


@pytest.mark.parametrize(("count", "more"), [(60, []), (61, ["The report lists 1 more."])])
def test_a_list_is_cut_beyond_sixty_items(count: int, more: list[str]) -> None:
    summary = replace(view().summary, warnings=tuple(f"warning {number}" for number in range(count)))
    warnings = document_data(replace(view(), summary=summary))["warnings"]
    assert warnings == [*(f"warning {number}" for number in range(60)), *more]


def test_a_run_has_the_reason_of_its_end_and_tables_of_figures() -> None:
    run = document_data(view())["runs"][0]
    quiet = "Conditions: quiet (real-time priority, cores kept awake)."
    assert (run["title"], run["about"]) == ("nginx on port 80", f"The time of 10 s is up. Seed 7, 10.0 s. {quiet}")
    probe = run["probes"][0]
    assert (probe["table"]["figures"], [one["table"]["figures"] for one in probe["lines"]]) == (8, [7, 6])
    assert len(probe["missing"]) == 3
    assert probe["missing"][2].startswith("machine → container's address, none: none has loopback only")
    open_run = view().runs[0]
    for stopped, about in (
        (None, f"Not finished. Seed 7, 10.0 s. {quiet}"),
        (Stop.CANCELLED, f"Seed 7, 10.0 s. {quiet}"),
    ):
        measurement = replace(open_run.measurement, stopped=stopped, stop_reason="")
        changed = replace(open_run, measurement=measurement, title="")
        (run,) = document_data(replace(view(), runs=(changed,)))["runs"]
        assert (run["title"], run["about"]) == ("Measurement", about)


def test_each_probe_states_its_payload_rate_load_and_conditions() -> None:
    options = Options(payload_bytes=512, rate=2000.0, under_load=True, conditions=Conditions.ORDINARY)
    loaded = make_run(probes=(Probe.TCP_RR, Probe.UDP_RR), count=12, options=options)
    data = document_data(build_view(make_content(measurements=(loaded, make_run(count=12)))))
    rate = "2000 requests per second, timed from their scheduled starts, while a stream saturates the same path"
    intervals = "12 paired blocks, 95 % intervals"
    assert [[probe["about"] for probe in run["probes"]] for run in data["runs"]] == [
        [f"{probe}, 512 B, {rate}, ordinary conditions, {intervals}" for probe in ("tcp-rr", "udp-rr")],
        [f"tcp-rr, 64 B, quiet conditions, {intervals}"],
    ]


def test_positions_in_a_chart_are_between_0_and_1() -> None:
    intervals = document_data(view())["runs"][0]["probes"][0]["intervals"]
    assert intervals["zero"] in [at for at, _text in intervals["ticks"]]
    assert (intervals["ticks"][0][0], intervals["ticks"][-1][0]) == (0, 1)
    assert all(row["low"] <= row["at"] <= row["high"] for row in intervals["rows"])
    (ecdf, times) = (one["chart"] for one in document_data(view())["runs"][0]["probes"][0]["lines"])
    assert [at for at, _text in ecdf["up"]] == [1, 0.75, 0.5, 0.25, 0]
    assert [times["across"][0], times["across"][-1][0]] == [[0, "0"], 1]
