"""The instructor's console in the browser: pointing at rows, and buttons that are pressed twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.server import Server
from tests.browser.session_pages import join, new_session
from tests.browser.visitor import Visit, Visitor, wait_for_next_frame

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture
def pointing(visitor: Visitor, server: Server) -> Iterator[Page]:
    """The page on which the instructor points at rows of a shared comparison."""
    identity = server.launch(modes=["host", "none"], title="Shown to all")
    page = new_session(visitor, server, "Point", hosts="none").page
    page.locator("[name=experiment]").select_option(identity)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#pointer")).to_be_visible()
    page.reload()
    page.get_by_role("link", name="Point at rows").click()
    page.wait_for_url("**/console/mirror/")  # the console has a badge of its own
    expect(page.locator(".head [data-connection]")).to_have_attribute("data-connection", "live")
    expect(page.locator("main[data-pointing]")).to_be_attached()  # clicks on rows count from here on
    yield page
    server.forget_everything()


def test_stop_pointing_removes_the_highlight_of_a_row_that_was_clicked(pointing: Page) -> None:
    pointing.locator("tr[data-row]:visible td").first.click()
    expect(pointing.locator("tr[data-pointed]")).to_have_count(1)
    pointing.get_by_role("button", name="Stop pointing").click()
    pointing.wait_for_url("**/console/#pointer")
    expect(pointing.locator("#pointer")).to_have_value("")


def test_pointing_states_why_a_row_was_not_highlighted(pointing: Page, visitor: Visitor) -> None:
    visitor.expect("409")
    reason = "This session is over and cannot be changed."
    pointing.route("**/steer/pointer/", lambda route: route.fulfill(status=409, content_type="text/plain", body=reason))
    pointing.locator("tr[data-row]:visible td").first.click()
    problem = pointing.get_by_role("alert").filter(has_text=reason)
    expect(problem).to_be_visible()
    expect(pointing.locator("tr[data-pointed]")).to_have_count(0)
    pointing.unroute("**/steer/pointer/")
    pointing.locator("tr[data-row]:visible td").first.click()
    expect(pointing.locator("tr[data-pointed]")).to_have_count(1)
    expect(problem).to_be_hidden()


def test_a_choice_that_was_not_sent_stays_when_its_region_is_replaced(visitor: Visitor, server: Server) -> None:
    console = new_session(visitor, server, "Chosen", hosts="none")
    page = console.page
    chosen = page.locator("#go-step")
    chosen.select_option("launch")  # without the focus, as after the Tab key
    minutes = page.locator("#minutes")
    minutes.fill("7")
    minutes.blur()
    console.press("Lock the step")
    expect(page.get_by_role("button", name="Unlock the step")).to_be_visible()
    expect(chosen).to_have_value("launch")
    expect(minutes).to_have_value("7")
    console.press("Go")
    expect(page.locator("#step-title")).to_contain_text("Step 2")
    console.press("Next step")
    expect(page.locator("#step-title")).to_contain_text("Step 3")
    expect(chosen).not_to_have_value("launch")
    expect(minutes).to_have_value("7")


def test_input_that_was_not_sent_stays_when_a_hand_is_lowered_or_a_newcomer_is_admitted_or_rejected(
    visitor: Visitor, visit: Visit, server: Server
) -> None:
    console = new_session(visitor, server, "Kept", hosts="none")
    page = console.page
    ada = join(visit, console.link, "Ada")
    ada.page.get_by_text("Ask for help").click()
    ada.page.get_by_role("button", name="Raise my hand").click()
    console.press("Require admission")
    expect(page.get_by_role("button", name="Admit everybody")).to_be_visible()
    join(visit, console.link, "Bob")
    cleo = join(visit, console.link, "Cleo")
    cleo.who.expect("401")  # her page is loaded again when she is rejected
    entered = {"[name=notes]": "Ports are next.", "[data-region=say] [name=text]": "Look at the ports."}
    for field, text in entered.items():
        page.locator(field).fill(text)
        page.locator(field).blur()
    for button in ("Lower the hand: Ada", "Admit: Bob", "Reject: Cleo"):
        pressed = page.locator("button", has_text=button)
        pressed.click()
        expect(pressed).to_have_count(0)
        for field, text in entered.items():
            expect(page.locator(field)).to_have_value(text)


def test_saved_notes_are_confirmed_beside_the_button_until_they_are_changed(visitor: Visitor, server: Server) -> None:
    page = new_session(visitor, server, "Confirmed", hosts="none").page
    confirmed = page.locator("[data-slot=saved]")
    page.locator("[name=notes]").fill("Ports are next.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(confirmed).to_be_visible()
    expect(confirmed).to_have_text("Saved.")
    page.locator("[name=notes]").fill("Ports are done.")
    expect(confirmed).to_be_empty()


def test_the_focus_stays_in_a_field_that_was_entered_before_another_form_s_response(
    visitor: Visitor, server: Server
) -> None:
    console = new_session(visitor, server, "Typing", hosts="none")
    page = console.page
    sent: list[Route] = []
    page.route("**/steer/timer/", lambda route: sent.append(route))  # noqa: PLW0108 - Playwright refuses a method
    with page.expect_request("**/steer/timer/"):
        console.press("Start")
    field = page.locator("[data-region=say] [name=text]")
    field.focus()
    sent[0].continue_()
    expect(page.locator("[data-region=step] [data-slot=timer]")).to_be_visible()
    expect(field).to_be_focused()


def test_a_hint_is_sent_once_although_enter_is_pressed_twice(visitor: Visitor, server: Server) -> None:
    page = new_session(visitor, server, "Hints", hosts="none").page
    sent: list[Route] = []
    page.route("**/steer/say/", lambda route: sent.append(route))  # noqa: PLW0108 - Playwright refuses a method
    field = page.locator("[data-region=say] [name=text]")
    field.fill("Look at the ports.")
    with page.expect_request("**/steer/say/"):
        field.press("Enter")
    field.press("Enter")
    wait_for_next_frame(page)
    assert len(sent) == 1
    sent[0].continue_()
    expect(field).to_have_value("")
    assert len(sent) == 1
    page.unroute("**/steer/say/")
    field.fill("Look at the names.")
    field.press("Enter")
    expect(field).to_have_value("")


def test_a_form_that_is_being_sent_is_not_replaced_so_it_cannot_be_sent_twice(visitor: Visitor, server: Server) -> None:
    console = new_session(visitor, server, "Sending", hosts="none")
    page = console.page
    sent: list[Route] = []
    page.route("**/steer/timer/", lambda route: sent.append(route))  # noqa: PLW0108 - Playwright refuses a method
    with page.expect_request("**/steer/timer/"):
        console.press("Start")
    with page.expect_response("**/console/"):
        console.press("Lock the step")
    console.press("Start")
    wait_for_next_frame(page)
    assert len(sent) == 1
    sent[0].continue_()
    expect(page.locator("[data-region=step] [data-slot=timer]")).to_be_visible()
    expect(page.get_by_role("button", name="Unlock the step")).to_be_visible()
