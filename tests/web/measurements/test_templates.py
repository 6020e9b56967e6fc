"""The templates of measurements: complete without JavaScript, safe, and with figures that do not mislead."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import msgspec
import pytest
from django.utils.html import escape

from dashboard.core.measurements import charts as measurement_charts
from dashboard.core.measurements.measurement import Measurement, Probe
from dashboard.templatetags import measurements as measuring
from dashboard.web.measurements import presenters as measurement_presenters
from tests.web import sample
from tests.web.experiments.templates.pages import Page
from tests.web.markup import forbidden_in
from tests.web.measurements.pages import PAGES, ROOT, draw_history, draw_page, draw_run, make_measurement, make_points


@pytest.fixture(params=sorted(PAGES))
def page(request: pytest.FixtureRequest) -> Page:
    return PAGES[request.param]()


def test_nothing_in_a_page_needs_a_weaker_policy(page: Page) -> None:
    assert forbidden_in(page.html) == []


def test_a_page_can_be_used_without_seeing_it(page: Page) -> None:
    ids = [attributes["id"] for _tag, attributes in page.all if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert len(page.find("h1")) == 1
    for tag, attributes in page.all:
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls"):
            assert set(attributes.get(name, "").split()) <= set(ids), (tag, attributes)
        if attributes.get("role") in {"img", "region"}:
            assert attributes.get("aria-label") or attributes.get("aria-labelledby"), (tag, attributes)
        if tag == "input" and attributes.get("type") not in {"hidden", "checkbox"}:
            assert attributes["id"] in {one.get("for") for one in page.find("label")}


def test_every_post_carries_a_token(page: Page) -> None:
    assert len(page.find("input", name="csrfmiddlewaretoken")) == len(page.find("form", method="post"))


def test_hostile_text_stays_text() -> None:
    page = PAGES["hostile"]()
    assert not page.find("img")
    assert "<img src=x" not in page.html
    assert page.html.count("&lt;img src=x") >= 10


def test_the_headline_comes_first_and_the_figures_that_prove_it_follow() -> None:
    html = PAGES["finished"]().html
    assert "docker-proxy is the cost, not the bridge." in html
    assert html.index("docker-proxy is the cost") < html.index("docker-proxy adds at least") < html.index("<figure")


def test_every_path_is_in_the_table_and_one_that_is_missing_has_its_reason() -> None:
    measurement, blocks = make_measurement()
    page = draw_run(found=(measurement, blocks))
    rows = [found["data-series"] for found in page.find("tr") if "data-series" in found]
    assert rows == [one.key for one in measurement.series]
    dots = [found["data-series"] for found in page.find("li") if "data-series" in found]
    assert dots == [one.key for one in measurement.series if one.n]
    missing = [one for one in measurement.series if one.unavailable]
    assert missing
    assert all(page.html.count(escape(one.unavailable)) >= 2 for one in missing), "in the table and among the paths"


def test_a_difference_is_never_shown_without_its_interval() -> None:
    for group in measurement_presenters.view_measurement(make_measurement()[0]).groups:
        compared = [row for row in group.rows if row.verdict]
        assert compared
        assert all(row.interval and row.low and row.high and row.difference for row in compared)
    few = measurement_presenters.view_measurement(make_measurement(count=4, stopped=None)[0]).groups[0]
    assert {row.verdict for row in few.rows if row.verdict} == {"inconclusive"}
    assert not few.ticks


def test_the_axis_contains_zero_and_every_interval() -> None:
    group = measurement_presenters.view_measurement(make_measurement()[0]).groups[0]
    places = [float(text.rstrip("%")) for row in group.rows for text in (row.low, row.at, row.high) if text]
    assert min(places) >= 0
    assert max(places) <= 100
    assert group.zero in {tick.at for tick in group.ticks}
    proxy = next(row for row in group.rows if row.label == "bridge/published-proxy")
    assert float(proxy.low.rstrip("%")) < float(proxy.at.rstrip("%")) < float(proxy.high.rstrip("%"))


def test_probes_do_not_share_an_axis() -> None:
    page = PAGES["three probes"]()
    assert [found["data-group"] for found in page.find("section") if "data-group" in found] == [
        "tcp-rr", "tcp-crr", "udp-rr",
    ]  # fmt: skip


def test_a_running_measurement_can_be_cancelled_and_is_shown_as_running() -> None:
    page = PAGES["running"]()
    assert page.find("form", action="/measurements/r1/cancel/")
    (bar,) = page.find("progress")
    assert (bar["max"], bar["value"]) == ("10.000", "3.250")
    assert "3.3 s of 10.0 s · at most 6.8 s left" in page.html
    assert "so far" in page.html
    assert page.find("main", data_ws="/ws/measurements/r1/")
    over = PAGES["finished"]()
    assert not over.find("form", action="/measurements/r1/cancel/")
    assert not over.find("progress")
    assert over.find("main", data_ws="")


def test_the_chart_is_drawn_without_a_script() -> None:
    measurement, blocks = make_measurement()
    page = draw_run(found=(measurement, blocks))
    lines = page.find("polyline")
    assert len(lines) == sum(bool(one.n) for one in measurement.series)
    assert all(len(line["points"].split()) == 30 for line in lines)
    for line in lines:
        for point in line["points"].split():
            assert all(0 <= float(value) <= 1000 for value in point.split(","))


def test_the_browser_gets_the_same_blocks() -> None:
    html = PAGES["finished"]().html
    found = re.search(r'<script id="chart-data" type="application/json">(.*?)</script>', html)
    assert found is not None
    data = json.loads(found[1])
    assert data["rounds"] == list(range(30))
    assert {one["dash"] for one in data["series"]} == {"", "six"}
    assert {one["mark"] for one in data["series"]} >= {"loopback", "published-proxy"}


def test_the_table_of_a_stream_says_what_its_percentiles_are() -> None:
    of_requests, of_payloads = "Percentiles are of all requests", "to hand one payload to the kernel"
    page = PAGES["finished"]()
    assert (of_requests in page.html, of_payloads in page.html) == (True, False)
    page = draw_run(found=make_measurement("host", "bridge", probes=(Probe.TCP_STREAM,)))
    assert (of_requests in page.html, of_payloads in page.html) == (False, True)
    assert "Difference in the mean time per payload from the baseline" in page.html


def test_throughput_has_a_column_only_where_it_was_measured() -> None:
    measurement, blocks = make_measurement("host", "bridge")
    assert "throughput" not in draw_run(found=(measurement, blocks)).texts["th"]
    rated = tuple(replace(one, bytes_per_s=3.21e9 if one.n else None) for one in measurement.series)
    page = draw_run(found=(replace(measurement, series=rated), blocks))
    assert "throughput" in page.texts["th"]
    assert "3.21 GB/s" in page.texts["td"]


def test_a_refused_form_keeps_its_input_and_shows_the_problems() -> None:
    page = PAGES["form, refused"]()
    ticked = [found["value"] for found in page.find("input", name="probe") if "checked" in found]
    assert ticked == ["http", "dns"]
    assert page.find("input", name="seconds")[0]["value"] == "0"
    assert page.find("input", name="payload")[0]["value"] == "x"
    assert page.find("form", action="/experiments/7f2a9c/measure/")
    assert page.find("div", role="alert")


def test_the_experiment_offers_to_measure_with_the_defaults() -> None:
    page = draw_page("experiments/experiment.html", sample.experiment_context())
    assert page.find("form", action="/experiments/7f2a9c/measure/")
    ticked = [found["value"] for found in page.find("input", name="probe") if "checked" in found]
    assert ticked == ["tcp-rr"]
    assert page.find("input", name="seconds")[0]["value"] == "10"
    assert {found["value"] for found in page.find("input", name="probe")} == set(Probe)


def test_a_series_of_five_hundred_runs_is_drawn() -> None:
    page = draw_history(make_points(500))
    assert len([found for found in page.find("a") if found["href"].startswith("/measurements/r")]) == 500
    assert page.find("polyline")


def test_a_measurement_is_unchanged_after_json() -> None:
    """The page of a report draws measurements that were read from a file."""
    measurement, blocks = make_measurement()
    again = msgspec.json.decode(msgspec.json.encode(measurement), type=Measurement)
    assert measurement_presenters.view_measurement(again) == measurement_presenters.view_measurement(measurement)
    assert measurement_charts.align_blocks(again, blocks) == measurement_charts.align_blocks(measurement, blocks)


@pytest.mark.parametrize(("count", "drawn"), [(1, False), (2, True)])
def test_a_chart_of_blocks_needs_two_of_them(count: int, drawn: bool) -> None:
    page = draw_run(found=make_measurement("host", "bridge", count=count))
    assert bool(page.find("polyline")) is drawn
    assert ("No chart: a chart needs at least two points per line." in page.html) is not drawn
    assert "No chart of differences: this chart needs two paths" in page.html
    assert len(page.find("tr", **{"data-blocks": "host/loopback"})) == 1, "the table has the figures"


def test_every_figure_of_the_blocks_has_the_slot_that_the_browser_updates() -> None:
    script = (ROOT / "static/dashboard/js/ui/measurements/measurement.js").read_text()
    updated = re.findall(r'"(\w+)"', script.partition("for (const name of [")[2].partition("]")[0])
    row = draw_run().html.partition('data-blocks="')[2].partition("</tr>")[0]
    assert updated == ["lowest", "middle", "highest", "tail"]
    assert sorted(re.findall(r'data-slot="([^"]*)"', row)) == sorted(["count", "failed", *updated])


def test_every_path_of_a_chart_is_labelled_in_words_and_has_the_same_mark_everywhere() -> None:
    page = draw_run()
    labels = re.findall(r'<g data-mode="[^"]*" data-mark="([^"]*)"[^>]*data-label="([^"]*)">', page.html)
    assert len(labels) == len({mark for mark, _key in labels}) == len(page.find("polyline"))
    assert "127.0.0.1 → published port (docker-proxy)" in page.texts["text"]
    for mark, key in labels:
        row = page.html.partition(f'<tr role="row" data-series="{key}"')[2].partition("</tr>")[0]
        assert f'data-mark="{mark}"' in row
        assert f'href="#mark-{mark}"' in row
        assert f'<symbol id="mark-{mark}"' in (ROOT / "templates/diagram/_mode_icons.html").read_text()


def test_the_script_learns_which_path_is_the_baseline() -> None:
    """It is not always the first path."""
    page = draw_run(found=make_measurement("bridge", "host"))
    (group,) = (found for found in page.find("section") if "data-group" in found)
    assert group["data-baseline"] == "host/loopback"


def test_every_text_that_the_scripts_use_exists() -> None:
    texts = set()
    for file in (ROOT / "static/dashboard/js/ui/measurements").glob("*.js"):
        texts |= set(re.findall(r"\btexts\.(\w+)", file.read_text()))
    assert texts == set(measuring.measure_words())
