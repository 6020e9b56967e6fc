"""axe finds no violation on any page, in either theme, in a wide window and at the width of a small phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import ALL_VIEWS, violations, violations_of_another_state
from tests.browser.server import Server
from tests.browser.visitor import Show, Visit, Visitor
from tests.support.polling import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture(scope="module")
def running(server: Server) -> Iterator[str]:
    """A running experiment with warnings, a refusal, a container that exited and a shared namespace."""
    identity = server.launch(
        modes=["host", "bridge", "user-bridge", "none", "container:1"],
        arms=[
            {"mode": "bridge", "publish": "8080:80"},
            {"mode": "bridge", "command": "sh -c 'echo no; exit 3'"},
        ],
        publish="8080:80",
    )
    yield identity
    server.forget_everything()


def unfold_answers(page: Page) -> None:
    """Opens every visible “What is this?” with the keyboard."""
    for summary in page.locator("details.what > summary:visible").all():
        summary.press("Enter")
    expect(page.locator("details.what:not([open]) > summary:visible")).to_have_count(0)


def test_a_running_experiment_with_everything_open_has_no_violations(running: str, show: Show) -> None:
    shown = show(running)
    shown.open_panel("try")
    shown.page.get_by_role("button", name="Request over every path").click()
    expect(shown.page.locator("[data-slot=try-state]")).to_contain_text("paths tried")
    shown.open_panel("inspect")
    shown.page.get_by_role("button", name="Run", exact=True).click()
    expect(shown.page.locator("[data-slot=inspect-state]")).to_contain_text("Finished at")
    shown.open_panel("answer")
    shown.page.get_by_label("Differences only").uncheck()
    shown.page.locator(".paths > summary").click()
    shown.page.get_by_role("link", name="bridge/published-proxy", exact=True).click()
    expect(shown.page.locator("svg.picture.wide .number")).not_to_have_count(0)
    expect(shown.page.locator(".exit:visible, .error-box:visible")).to_have_count(2)
    unfold_answers(shown.page)
    assert violations(shown.page, ALL_VIEWS) == []


def test_the_same_sentence_is_announced_again(running: str, visitor: Visitor, show: Show, server: Server) -> None:
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    page = show(running).page
    page.evaluate(
        """() => {
            const place = document.getElementById("announcements");
            window.announced = [];
            new MutationObserver(() => window.announced.push(place.textContent)).observe(place, {childList: true});
        }"""
    )
    copy = page.locator("[data-details] [data-copy]:visible").first
    for count in (1, 2, 3):
        copy.click()
        until(lambda count=count: [text.strip() for text in page.evaluate("announced")].count("Copied") == count)  # type: ignore[misc]


@pytest.mark.slow
def test_a_running_experiment_has_no_violations_when_it_opens(running: str, show: Show) -> None:
    assert violations(show(running).page) == []


@pytest.mark.slow
@pytest.mark.usefixtures("running")
def test_a_launch_whose_port_is_in_use_has_no_violations(visitor: Visitor, show: Show, server: Server) -> None:
    visitor.expect(r"409 \(Conflict\)")
    page = show(server.launch(modes=["host"]), live=False).page
    expect(page.locator("[data-slot=trouble-box]")).to_contain_text("listens on port 80")
    assert violations(page) == []
    page.locator("[data-slot=trouble-box]").get_by_role("button", name="Launch again").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Not launched yet")
    assert violations(page) == []


def test_a_past_moment_of_an_experiment_has_no_violations(running: str, visitor: Visitor, server: Server) -> None:
    assert violations(visitor.open(f"{server.url}/experiments/{running}/?at=3")) == []


def test_the_start_page_with_a_running_experiment_has_no_violations(
    running: str, visitor: Visitor, server: Server
) -> None:
    page = visitor.open(server.url)
    expect(page.get_by_role("region", name="Running").get_by_role("listitem")).to_have_count(1)
    for fold in page.locator("details.options > summary").all():
        fold.click()
    assert violations(page, ALL_VIEWS) == []


@pytest.mark.parametrize(
    "address", ["/doctor/", *(pytest.param(one, marks=pytest.mark.slow) for one in ("/api/docs", "/reports/example/"))]
)
def test_pages_with_fixed_content_have_no_violations(visitor: Visitor, server: Server, address: str) -> None:
    page = visitor.open(server.url + address)
    unfold_answers(page)
    assert violations(page) == []


def test_error_pages_and_a_form_with_errors_have_no_violations(running: str, visit: Visit, server: Server) -> None:
    visitor = visit()
    visitor.expect(r"Failed to load resource: .* 40[04] ")
    assert violations(visitor.open(f"{server.url}/experiments/nobody/")) == []
    assert violations_of_another_state(visitor.open(f"{server.url}/experiments/{running}/?at=never")) == []
    page = visitor.open(server.url)
    page.locator("#field-port").fill("eighty")
    page.get_by_role("button", name="Launch", exact=True).click()
    expect(page.locator("#problems")).to_be_visible()
    assert violations(page) == []


def test_the_page_for_people_who_are_not_signed_in_has_no_violations(visit: Visit, server: Server) -> None:
    visitor = visit(signed_in=False, color_scheme="dark", viewport={"width": 500, "height": 700})
    visitor.expect(r"Failed to load resource: .* 401 ")
    page = visitor.open(server.url)
    assert violations(page) == []
    assert page.evaluate("[innerWidth, innerHeight, matchMedia('(prefers-color-scheme: dark)').matches]") == [
        *(500, 700, True)
    ]
