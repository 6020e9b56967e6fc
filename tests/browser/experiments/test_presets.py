"""One click launches a preset, and the row that it promises differs; “change” fills in the form."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from dashboard.core.experiments.presets.catalogue import PRESETS
from dashboard.core.experiments.presets.preset import Preset
from tests.browser.comparison import ExperimentPage, scrolls_sideways
from tests.browser.server import Server
from tests.browser.visitor import Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.usefixtures("forgotten")]
BY_KEY = {preset.key: preset for preset in PRESETS}
#: One preset stands for all: the form is the same, and tests/core/experiments/presets/test_catalogue.py parses each.
by_preset = pytest.mark.parametrize(
    "preset",
    [
        pytest.param(preset, marks=[pytest.mark.slow] * (number > 0), id=preset.key)
        for number, preset in enumerate(PRESETS)
    ],
)


def launch(preset: Preset, visitor: Visitor, server: Server) -> ExperimentPage:
    """Launches a preset with one click; AssertionError unless the row that it promises differs."""
    page = visitor.open(server.url)
    page.get_by_role("button", name=f"Launch: {preset.title}").click()
    shown = ExperimentPage(page)
    shown.wait_for("running")
    assert page.url.endswith(f"#{preset.tab}")
    expect(page.locator("h1")).to_contain_text(preset.title)
    expect(page.locator("[data-slot=phase-badge]")).to_contain_text("running")
    row = shown.row(preset.row)
    expect(row).to_have_attribute("data-relation", re.compile(r"^(?!same)"))
    host, bridge = shown.text(preset.row, "host"), shown.text(preset.row, "bridge")
    assert host != bridge
    return shown


@by_preset
def test_one_click_launches_and_the_promised_row_differs(preset: Preset, visitor: Visitor, server: Server) -> None:
    launch(preset, visitor, server)


def test_nothing_answers_at_the_published_port_of_a_program_on_localhost(visitor: Visitor, server: Server) -> None:
    shown = launch(BY_KEY["database"], visitor, server)
    attempts = server.api(f"experiments/{shown.identity}/try", {})["attempts"]
    status = {(one["server"], one["path"]): one["status"] for one in attempts if one["url"]}
    assert status["host", "loopback"] == 200
    assert {code for (column, path), code in status.items() if column == "bridge" and path != "inside"} == {None}


def test_a_datagram_on_the_machine_s_link_reaches_host_and_not_bridge(visitor: Visitor, server: Server) -> None:
    page = launch(BY_KEY["multicast"], visitor, server).page
    expect(page.get_by_label("Also send multicast datagrams")).to_be_checked()
    page.set_viewport_size({"width": 320, "height": 700})
    assert not scrolls_sideways(page)
    page.get_by_role("button", name="Request over every path").click()
    sent = page.locator(".attempt").filter(has_text="Multicast on the machine's link")
    expect(sent).to_have_count(4)
    expect(sent.filter(has_text="received")).to_have_count(2)
    expect(sent.filter(has_text="docker0 to bridge")).to_contain_text("received")
    expect(sent.filter(has_text="docker0 to host")).to_contain_text("did not arrive")
    expect(page.locator(".attempt.bad").filter(has_text="Multicast")).to_have_count(0)
    expect(sent.locator("[data-slot=failure]:visible")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("multicast on docker0 reached bridge, not host")


@by_preset
def test_change_fills_in_the_form_without_javascript(preset: Preset, visit: Visit, server: Server) -> None:
    visitor = visit(java_script_enabled=False)
    page = visitor.open(server.url)
    page.get_by_role("link", name=f"Open in the form: {preset.title}").click()
    expect(page.get_by_label("Name of the experiment")).to_have_value(preset.title)
    expect(page.locator("details.more")).to_have_attribute("open", "")
    page.get_by_role("button", name="Launch with these options").click()
    expect(page.locator("h1")).to_contain_text(preset.title)
    (launched,) = server.api("experiments")
    assert launched["title"] == preset.title
    assert {"host", "bridge"} <= set(launched["modes"])
