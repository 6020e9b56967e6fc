"""axe finds no violation on a stopped experiment and on a start page without experiments."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.browser.server import Server
from tests.browser.visitor import Show

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.mark.slow
def test_a_stopped_experiment_and_an_empty_start_page_have_no_violations(server: Server, show: Show) -> None:
    identity = server.launch(modes=["none", "bridge"])
    shown = show(identity)
    shown.press("Stop")
    shown.wait_for("stopped")
    assert violations(shown.page) == []
    shown.page.reload()
    expect(shown.page.locator("[data-slot=as-it-was]")).to_contain_text("This is the state before the stop")
    assert violations(shown.page) == []
    shown.page.goto(server.url)
    expect(shown.page.get_by_role("region", name="Past").get_by_role("listitem").first).to_be_visible()
    assert violations(shown.page) == []
    server.forget_everything()
    shown.page.reload()
    expect(shown.page.get_by_text("Launch with the default values")).to_be_visible()
    assert violations(shown.page) == []
