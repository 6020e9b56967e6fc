"""No page scrolls sideways, from a small phone to a 4K screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.comparison import scrolls_sideways
from tests.browser.server import Server
from tests.browser.session_pages import join, new_session
from tests.browser.visitor import Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.engine]
WIDTHS = (320, 860, 1024, 1440, 3840)
PAGES = (
    "/",
    "/workshop/",
    "/sessions/",
    "/measurements/",
    "/questions/",
    "/claims/",
    "/reports/",
    "/reports/example/",
    "/doctor/",
    "/lans/",
    "/machines/",
    "/docs/",
    "/api/docs",
    "/accounts/",
    "/account/",
    "/audit/",
)
VIEWS = ("", "#table", "#try", "#inspect", "#trace", "#measure", "#report")


@pytest.fixture(scope="module")
def running(server: Server) -> Iterator[str]:
    """Three arms with a published port, and the results of requests on their paths."""
    identity = server.launch(modes=["host", "bridge", "user-bridge"], publish="8080:80")
    server.api(f"experiments/{identity}/try?multicast=true", {})
    yield f"/experiments/{identity}/"
    server.forget_everything()


def wide_at(page: Page) -> list[int]:
    """The widths at which the open page scrolls sideways."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if scrolls_sideways(page):
            found.append(width)
    return found


def test_no_page_scrolls_sideways(running: str, visit: Visit, server: Server) -> None:
    """Each page opens on a small phone and then becomes wider."""
    visitor = visit(viewport={"width": WIDTHS[0], "height": 900})
    page = visitor.open(server.url)
    wide = {}
    for address in (*PAGES, *(f"{running}{view}" for view in VIEWS)):
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        page.goto(f"{server.url}{address}")
        wide[address] = wide_at(page)
    assert {address: widths for address, widths in wide.items() if widths} == {}


def test_the_menu_is_a_button_only_in_a_narrow_window(visitor: Visitor, server: Server) -> None:
    page = visitor.open(server.url)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.get_by_role("button", name="Menu")).to_be_visible(visible=width < 860)


def test_escape_closes_the_menu_and_returns_to_its_button(visit: Visit, server: Server) -> None:
    page = visit(viewport={"width": 390, "height": 844}).open(server.url)
    menu, pages = page.get_by_role("button", name="Menu"), page.get_by_role("navigation", name="Pages")
    menu.focus()
    page.keyboard.press("Enter")
    expect(pages).to_be_visible()
    page.keyboard.press("Tab")
    expect(menu).not_to_be_focused()
    page.keyboard.press("Escape")
    expect(pages).to_be_hidden()
    expect(menu).to_be_focused()
    expect(menu).to_have_attribute("aria-expanded", "false")


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_scrolls_sideways_when_it_opens_at_a_width(
    running: str, visit: Visit, server: Server, width: int
) -> None:
    page = visit(viewport={"width": width, "height": 900}).open(server.url)
    wide = []
    for address in (*PAGES, *(f"{running}{view}" for view in VIEWS)):
        page.goto(f"{server.url}{address}")
        if scrolls_sideways(page):
            wide.append(address)
    assert wide == []


def test_a_report_with_requests_does_not_scroll_sideways(running: str, visit: Visit, server: Server) -> None:
    page = visit(viewport={"width": 1024, "height": 900}).open(f"{server.url}{running}#report")
    page.get_by_role("button", name="Save report").click()
    page.wait_for_url("**/reports/*/")
    expect(page.locator("#tried")).to_contain_text("Multicast on the machine's link")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert not scrolls_sideways(page), width


@pytest.mark.slow
def test_no_page_of_a_session_scrolls_sideways(visit: Visit, server: Server) -> None:
    console = new_session(visit(), server, "A session with a long title, to find what does not wrap", hosts="none")
    people = [join(visit, console.link, name) for name in ("Ada", "Maximiliane von Hohenstein")]
    for person in people:
        person.live()
    home = people[0].home
    console.press("Next step")
    expect(console.page.locator("#step-title")).to_contain_text("Step 2")
    addresses = [f"{home}console/", f"{home}console/projector/", "/sessions/", home, f"{home}steps/launch/"]

    def find_wide() -> list[tuple[int, str]]:
        page = console.page.context.new_page()
        found = []
        for address in addresses:
            page.goto(address if address.startswith("http") else f"{server.url}{address}")
            found += [(width, address.removeprefix(home)) for width in wide_at(page)]
        page.close()
        return found

    wide = find_wide()
    console.page.get_by_text("Close the session").click()
    console.page.get_by_role("button", name="Close it now").click()
    expect(console.page.get_by_role("link", name="Results").first).to_be_visible()
    addresses[:] = [f"{home}results/", f"{home}results/?person=1#person", f"{home}console/"]
    assert wide + find_wide() == []
