"""A report as data for pages: everything in order, long lists cut with a count, no text that cannot be set."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import pytest

from dashboard.core.experiments.messages import TimelineItem
from dashboard.core.reports.document import BREAK, LONG_WORD, UNKNOWN, clean, document_data
from dashboard.core.reports.model import ClaimResult, ClaimVerdict
from dashboard.core.reports.view import ReportView, build_view
from tests.core.report_builders import make_content, make_run


@cache
def view() -> ReportView:
    claims = (ClaimResult("dns", "It holds.", "FACTS", ClaimVerdict.HOLDS, ("seen",)),)
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


def test_it_is_json_and_has_every_chapter() -> None:
    data = document_data(view(), [("paragraph", "A note.")], "ab" * 32)
    assert json.loads(json.dumps(data)) == data
    assert ["content hash", clean("sha256:" + "ab" * 32)] in data["facts"]
    assert data["notes"] == [["paragraph", "A note."]]
    assert data["differences"]
    assert data["warnings"]
    assert [one["head"] for one in data["claims"]] == ["dns: holds"]
    experiment = data["experiment"]
    assert len(experiment["rows"]["body"]) == len(experiment["whys"])
    assert [line[0] for line in experiment["columns"]["body"]] == ["this machine", "host", "bridge", "none"]
    assert {part["kind"] for part in experiment["picture"]["boxes"]} >= {"machine", "stack", "host-stack"}
    probe = data["runs"][0]["probes"][0]
    assert len(probe["lines"]) == 2
    assert probe["missing"]
    assert {row["mode"] for row in probe["intervals"]["rows"]} == {"host", "bridge"}


def test_drawings_stay_in_their_frame() -> None:
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


def test_a_report_of_claims_alone_has_no_columns() -> None:
    content = make_content(experiment=None, measurements=(), author="")
    data = document_data(build_view(content))
    assert data["experiment"] is None
    assert data["runs"] == []
    assert data["author"] == ""
