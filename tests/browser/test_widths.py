"""No page scrolls sideways, from a small phone to a 4K screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.comparison import scrolls_sideways
from tests.browser.server import Server
from tests.browser.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.engine]
WIDTHS = (320, 860, 1024, 1440, 3840)
PAGES = ("/", "/workshop/", "/sessions/", "/measurements/", "/claims/", "/reports/", "/reports/example/", "/doctor/")
VIEWS = ("", "#table", "#try", "#inspect", "#trace", "#measure", "#report")


@pytest.fixture(scope="module")
def running(server: Server) -> Iterator[str]:
    """Three arms with a published port."""
    identity = server.launch(modes=["host", "bridge", "user-bridge"], publish="8080:80")
    yield f"/experiments/{identity}/"
    server.forget_everything()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_scrolls_sideways(running: str, visit: Visit, server: Server, width: int) -> None:
    visitor = visit(viewport={"width": width, "height": 900})
    wide = []
    for address in (*PAGES, *(f"{running}{view}" for view in VIEWS)):
        page = visitor.open(f"{server.url}{address}")
        if scrolls_sideways(page):
            wide.append(address)
        if address == "/":
            expect(page.get_by_role("button", name="Menu")).to_be_visible(visible=width < 860)
        page.close()
    assert wide == []
