"""Which origins and sessions have access, and which message the others get."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.server import Server
from tests.browser.visitor import Show, Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def test_the_sign_in_link_works_once_and_leaves_no_token_in_the_address(visit: Visit, server: Server) -> None:
    link = server.another_link()
    first = visit(signed_in=False)
    page = first.open(link)
    expect(page).to_have_url(f"{server.url}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Host or bridge for my service?")
    page.reload()
    expect(page).to_have_url(f"{server.url}/")
    assert page.evaluate("document.referrer") == ""

    late = visit(signed_in=False)
    late.expect(r"Failed to load resource: .* 401 .*/sign-in/")
    used = late.open(link)
    expect(used.get_by_role("heading", level=1)).to_have_text("This link was used or has expired")
    expect(used.locator("main")).to_contain_text("run ./netmodes link for a new one")


def test_pages_require_the_sign_in_link(visit: Visit, server: Server) -> None:
    visitor = visit(signed_in=False)
    visitor.expect(r"Failed to load resource: .* 401 ")
    for path in ("/", "/doctor/", "/experiments/whatever/", "/api/docs"):
        page = visitor.open(server.url + path)
        if path.startswith("/api/"):
            expect(page.locator("body")).to_contain_text("Sign in first")
        else:
            expect(page.get_by_role("heading", level=1)).to_have_text("Sign-in link required")


@pytest.mark.slow
def test_after_signing_out_pages_require_a_new_link(visit: Visit, server: Server) -> None:
    visitor = visit(signed_in=False)
    page = visitor.open(server.another_link())
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    visitor.expect(r"Failed to load resource: .* 401 ")
    page.goto(server.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign-in link required")


@pytest.mark.usefixtures("forgotten")
def test_an_open_page_works_again_after_signing_out_and_in_elsewhere(visit: Visit, show: Show, server: Server) -> None:
    visitor = visit(signed_in=False)
    visitor.expect(r"Failed to load resource: .* 401 ")
    other = visitor.open(server.another_link())
    shown = show(server.launch(modes=["bridge"]), who=visitor)
    shown.open_panel("try")
    request, state = shown.page.get_by_role("button", name="Request over every path"), shown.page.locator("#try")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("You are signed out")
    request.click()
    expect(state).to_contain_text("Failed: signed out: sign in again")
    other.goto(server.another_link())
    request.click()
    expect(state).to_contain_text("paths tried")
    shown.press("Stop")
    shown.wait_for("stopped")


def test_an_unknown_address_links_to_the_start_page(visitor: Visitor, server: Server) -> None:
    visitor.expect(r"Failed to load resource: .* 404 ")
    page = visitor.open(f"{server.url}/experiments/nobody/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
    page.get_by_role("link", name="Start page").click()
    expect(page).to_have_url(f"{server.url}/")


def test_the_doctor_and_the_api_documentation_load_nothing_from_other_servers(visitor: Visitor, server: Server) -> None:
    asked: list[str] = []
    visitor.context.on("request", lambda request: asked.append(request.url))
    page = visitor.open(f"{server.url}/doctor/")
    expect(page.get_by_role("row", name="host").first).to_contain_text("yes")
    page = visitor.open(f"{server.url}/api/docs")
    expect(page.get_by_text("Launch an experiment").first).to_be_visible()
    assert {url.split("/", 3)[2] for url in asked if not url.startswith("data:")} == {
        server.url.removeprefix("http://")
    }
