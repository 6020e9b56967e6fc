"""Forms while the server does not answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.server import Server
from tests.browser.visitor import Show, Visitor, wait_for_script

pytestmark = [pytest.mark.browser, pytest.mark.engine]
AWAY = "The server does not answer; nothing was sent. Try again when it is back."


@pytest.fixture
def tolerant(visitor: Visitor, server: Server) -> Iterator[Visitor]:
    """A visitor whose requests may fail. The server, which other tests share, runs again afterwards."""
    visitor.expect(r"WebSocket connection to .* failed")
    visitor.expect(r"ERR_CONNECTION_(REFUSED|RESET)|ERR_EMPTY_RESPONSE| 405 ")
    yield visitor
    if not server.is_running():
        server.start()


@pytest.mark.slow
def test_a_button_of_an_experiment_keeps_the_page_and_works_once_the_server_is_back(
    tolerant: Visitor, show: Show, server: Server
) -> None:
    shown = show(server.launch(modes=["none"]))
    page, address = shown.page, shown.page.url
    server.kill()
    expect(page.locator("[data-slot=stale]")).to_be_visible()
    shown.press("Stop")
    notice = page.locator("#server-away")
    expect(notice).to_have_text(AWAY)
    expect(notice).to_be_visible()
    expect(notice).to_be_in_viewport()
    assert page.url == address
    page.get_by_role("link", name="Try", exact=True).click()
    page.locator("#try form").get_by_role("button").click()
    expect(page.locator("#try")).to_contain_text(AWAY)
    server.start()
    expect(notice).to_be_hidden()
    shown.press("Stop")
    shown.wait_for("stopped")


def test_the_launch_form_keeps_what_was_typed(tolerant: Visitor, server: Server) -> None:
    page = tolerant.open(server.url)
    wait_for_script(page)  # a module that has not arrived yet could not be loaded
    page.get_by_text("More options").click()
    page.locator("[name=names]").fill("db.internal")
    server.kill()
    page.evaluate("dispatchEvent(new Event('offline'))")
    page.get_by_role("button", name="Launch", exact=True).click()
    expect(page.locator("#server-away")).to_be_visible()
    expect(page.locator("[name=names]")).to_have_value("db.internal")
    server.start()
    expect(page.locator("#server-away")).to_be_hidden()
    page.locator("#mode-host").uncheck()
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url("**/experiments/*/")
    server.forget_everything()


def test_a_form_is_held_back_although_the_server_is_silent_instead_of_away(visitor: Visitor, server: Server) -> None:
    page = visitor.open(server.url)
    wait_for_script(page)
    page.route("**/healthz", lambda _route: None)  # no answer
    page.evaluate("dispatchEvent(new Event('offline'))")
    page.get_by_role("button", name="Launch", exact=True).click()
    expect(page.locator("#server-away")).to_be_visible()
