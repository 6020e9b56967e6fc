"""Measurements in the browser: start, watch, cancel, read the verdict, reopen, compare over time."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Browser, Page, expect

from dashboard.configuration import BASE
from dashboard.web.operations.machines.clients import ClientChoice
from tests.browser.axe import violations, violations_of_another_state
from tests.browser.comparison import scrolls_sideways
from tests.browser.keyboard import walk_to
from tests.browser.server import Server
from tests.browser.visitor import Show, Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.engine]
#: A run with a responder launches its arms first.
BEGUN_MS = 30_000


@pytest.fixture(scope="module")
def running(server: Server) -> Iterator[str]:
    """Two arms to measure."""
    yield server.launch(modes=["host", "bridge"], publish="8080:80")
    server.forget_everything()


def state(page: Page, name: str) -> None:
    """Waits until the page shows the state of the run."""
    expect(page.locator("main")).to_have_attribute("data-state", name, timeout=BEGUN_MS)


def answered(page: Page, series: str) -> int:
    """The number of requests in the table for a series."""
    text = page.locator(f'tr[data-series="{series}"] [data-slot=n]').inner_text()
    return int(re.sub(r"\D", "", text) or "0")


def test_the_keyboard_alone_starts_watches_and_cancels(running: str, show: Show) -> None:
    page = show(running).page
    walk_to(page, "Measure")
    page.keyboard.press("Enter")
    walk_to(page, "Time limit (s)")
    page.keyboard.press("Control+A")
    page.keyboard.type("120")
    # With a rate the processors are idle between requests, so the rest of this test and other tests can use them.
    walk_to(page, "Payload, rate, load, names")
    page.keyboard.press("Enter")
    walk_to(page, "Requests per second")
    page.keyboard.type("200")
    walk_to(page, "Measure")
    page.keyboard.press("Enter")
    page.wait_for_url("**/measurements/*/")
    state(page, "running")
    expect(page.locator("[data-connection]")).to_have_attribute("data-connection", "live")
    # Live: figures, blocks and time go on by themselves.
    expect(page.locator("[data-slot=progress]")).to_contain_text("s left")
    expect(page.locator('tr[data-series="bridge/published-proxy"] [data-slot=verdict]')).to_have_text("so far")
    before = answered(page, "host/loopback")
    page.wait_for_function(
        "before => Number(document.querySelector('tr[data-series=\"host/loopback\"] [data-slot=n]')"
        ".textContent.replace(/\\D/g, '')) > before",
        arg=before,
    )
    expect(page.locator('[data-chart="over-time"] polyline')).to_have_count(page.locator("[data-blocks]").count())
    assert violations_of_another_state(page) == []
    walk_to(page, "Cancel")
    page.keyboard.press("Enter")
    state(page, "cancelled")
    expect(page.locator("[data-part=notices]")).to_contain_text("Finished blocks are kept and shown.")
    assert answered(page, "host/loopback") > before
    assert page.get_by_role("button", name="Cancel").count() == 0
    # The twin that was launched for the run has ended, and is not listed as a past experiment.
    page.goto(page.url.split("/measurements/")[0])
    expect(page.get_by_role("region", name="Running").get_by_role("listitem")).to_have_count(1)
    expect(page.locator("main")).not_to_contain_text("measure: nginx")


def test_on_a_phone_a_measurement_is_started_and_its_verdict_distribution_and_history_are_shown(
    running: str, server: Server, visit: Visit
) -> None:
    phone = visit(viewport={"width": 390, "height": 844}, has_touch=True)
    page = phone.open(f"{server.url}/experiments/{running}/")
    page.get_by_role("link", name="Measure", exact=True).tap()
    form = page.locator(".measure-form")
    form.get_by_label("tcp-rr").uncheck()
    form.get_by_label("http", exact=True).check()
    form.get_by_label("Time limit (s)").fill("2")
    form.get_by_role("button", name="Measure").tap()
    page.wait_for_url("**/measurements/*/")
    state(page, "finished")
    run = page.url
    proxy = page.locator('tr[data-series="bridge/published-proxy"]')
    # On a busy machine two seconds may not suffice for the right verdict. Each has its reason.
    expect(proxy.locator("[data-verdict]")).to_have_attribute("data-verdict", re.compile("slower|faster|inconclusive"))
    expect(proxy.locator(".verdict small").first).to_contain_text(
        re.compile("docker-proxy copies|interval|paired block")
    )
    expect(page.locator("[data-slot=headline]")).not_to_be_empty()
    expect(page.locator("[data-part=method]")).to_contain_text("The time of 2 s is up.")
    assert not scrolls_sideways(page)
    page.locator("[data-distribution] > summary").tap()
    expect(page.locator('[data-chart="distribution"] polyline')).to_have_count(page.locator("[data-blocks]").count())
    assert violations(page) == []

    page.get_by_text("Menu", exact=True).tap()
    page.get_by_role("link", name="Measurements", exact=True).tap()
    expect(page.locator(".runs li").first).to_contain_text("finished")
    assert violations(page) == []
    series = page.get_by_role("row").filter(has_text="bridge published-proxy http 64B closed idle")
    series.get_by_role("link", name="127.0.0.1 → published port (docker-proxy)").click()
    expect(page.get_by_role("link", name="nginx on port 80")).to_have_attribute("href", run.removeprefix(server.url))
    assert violations(page) == []


@pytest.mark.slow
def test_the_keyboard_and_the_pointer_read_the_values_of_a_chart(
    running: str, server: Server, visitor: Visitor
) -> None:
    page = visitor.open(f"{server.url}/experiments/{running}/#measure")
    form = page.locator(".measure-form")
    form.get_by_label("tcp-rr").uncheck()
    form.get_by_label("http", exact=True).check()
    form.get_by_label("ordinary").check()
    form.get_by_label("Time limit (s)").fill("1.5")
    form.get_by_role("button", name="Measure").click()
    page.wait_for_url("**/measurements/*/")
    state(page, "finished")
    expect(page.locator("[data-part=method]")).to_contain_text("ordinary (normal priority")
    chart = page.locator('[data-chart="over-time"]')
    slider = chart.get_by_role("slider", name="Read the values of the chart")
    words = chart.locator("[data-label] .full").all_text_contents()
    assert "127.0.0.1 → published port (docker-proxy)" in words
    slider.focus()
    page.keyboard.press("Home")
    first = slider.get_attribute("aria-valuetext") or ""
    assert all(f"{one} " in first for one in words)
    assert re.search(r"\(docker-proxy\) \d+\.\d µs", first)
    page.keyboard.press("ArrowRight")
    second = slider.get_attribute("aria-valuetext") or ""
    assert second.partition(":")[0] != first.partition(":")[0]
    expect(chart.locator("output")).to_contain_text(second.partition(":")[0])
    expect(chart.locator(".cursor")).to_have_attribute("visibility", "visible")
    box = chart.locator("svg.chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
    expect(slider).not_to_have_attribute("aria-valuetext", second)
    assert violations(page) == []


def test_a_path_of_the_measurement_is_shown_in_the_picture(running: str, server: Server, visitor: Visitor) -> None:
    page = visitor.open(f"{server.url}/experiments/{running}/?path=bridge%2Fpublished-dnat")
    expect(page.locator("[data-connection]")).to_have_attribute("data-connection", "live")
    hops = page.locator('li[data-path="bridge/published-dnat"] .hops li')
    drawn = page.locator("svg.picture.wide .number text")
    assert drawn.all_text_contents() == [str(place) for place in range(1, hops.count() + 1)]
    link = page.locator('li[data-path="bridge/published-proxy"] a')
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator("svg.picture.wide .box.proxy.passed")).to_have_count(1)
    expect(page.locator("svg.picture.wide .box.dnat.passed")).to_have_count(0)
    expect(link).to_have_attribute("aria-current", "true")
    expect(link).to_be_focused()
    expect(page).to_have_url(re.compile(r"\?path=bridge%2Fpublished-proxy$"))
    link.click()
    expect(drawn).to_have_count(0)


def test_an_invalid_option_is_explained_at_the_form_and_the_input_is_kept(
    running: str, server: Server, visitor: Visitor
) -> None:
    visitor.expect(r"Failed to load resource: .* 400 ")
    page = visitor.open(f"{server.url}/experiments/{running}/#measure")
    page.get_by_label("Time limit (s)").fill("86400")
    page.locator(".measure-form").get_by_role("button", name="Measure").click()
    expect(page.locator("#problems")).to_contain_text("The time limit must be 0.5 to 3600 seconds, not 86400.")
    expect(page.get_by_label("Time limit (s)")).to_have_value("86400")
    assert violations_of_another_state(page) == []


def test_the_machine_to_measure_on_is_not_offered_as_another_one(browser: Browser) -> None:
    """The style sheet hides the chosen machine among the others, without a script."""
    choices = (ClientChoice("lab2", part=2), ClientChoice("lab3"), ClientChoice("server", part=1))
    form = {"parts": {"server": "a", "lab2": "b"}, "machine_clients": choices, "experiment_url": "/"}
    page = browser.new_page()
    page.set_content(render_to_string("measurements/_form.html", form))
    page.add_style_tag(path=BASE / "static/dashboard/css/measurements.css")
    offered = page.get_by_role("group", name="Also from other machines").get_by_role("checkbox")
    expect(offered).to_have_count(2)
    expect(page.get_by_label("server", exact=True)).to_be_hidden()
    page.get_by_label("Machine to measure on").select_option("lab2")
    expect(offered).to_have_count(2)
    expect(page.get_by_label("lab2", exact=True)).to_be_hidden()
    page.close()
