"""A path is traced from the experiment page, and a path of another mode is drawn next to it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.browser.comparison import scrolls_sideways
from tests.browser.server import Server
from tests.browser.visitor import Show

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.usefixtures("forgotten")]


def test_traces_of_two_modes_are_shown_side_by_side_with_their_evidence(server: Server, show: Show) -> None:
    shown = show(server.launch(modes=["host", "bridge"], publish="8080:80"))
    page = shown.page
    shown.open_panel("try")
    page.get_by_role("button", name="Request over every path").click()
    page.get_by_role("button", name="Trace The machine's address to the published port of bridge").click()
    traces = page.locator(".trace")
    expect(traces).to_have_count(2)
    ours, other = traces.nth(0), traces.nth(1)
    expect(ours.get_by_role("heading")).to_contain_text("published port of bridge")
    taken = ours.get_by_role("listitem").filter(has_text="taken")
    expect(taken.filter(has_text="DNAT")).to_contain_text("+1 packet")
    expect(taken.filter(has_text="The bridge docker0")).to_have_count(1)
    expect(other.get_by_role("heading")).to_contain_text("127.0.0.1 to host")
    expect(other.get_by_role("listitem").filter(has_text="A bridge and a veth pair")).to_contain_text("not seen")
    for fold in page.get_by_text("Show on diagram").all():
        fold.click()
    expect(page.locator("svg.picture .number").first).to_be_visible()
    assert violations(page) == []
    page.set_viewport_size({"width": 320, "height": 700})
    assert not scrolls_sideways(page)
    page.get_by_label("Compare with").select_option(
        label="127.0.0.1 to the published port of bridge (bridge/published-proxy/127.0.0.1:8080)"
    )
    page.get_by_role("button", name="Trace again").click()
    proxied = page.locator(".trace").nth(1).get_by_role("listitem").filter(has_text="docker-proxy copies")
    expect(proxied).to_contain_text("its second connection")
