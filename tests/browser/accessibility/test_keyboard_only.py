"""With the keyboard alone: an experiment from launch to report, a workshop, and a training session.

Every stop shows its focus in the window, and no action loses the focus (``tests.browser.keyboard``).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from dashboard.core.workshops.model import Step
from tests.browser.comparison import ExperimentPage
from tests.browser.keyboard import act, focus_is_kept, walk_to
from tests.browser.server import Server
from tests.browser.session_pages import Console, ParticipantPage
from tests.browser.visitor import Visit, wait_for_script
from tests.browser.workshop import HELD_FROM_THE_START, Shell, StepPage
from tests.browser.workshops.test_workshop import EXPECTED, HOST
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.browser, pytest.mark.engine]
SIZES: tuple[ViewportSize, ...] = ({"width": 1440, "height": 900}, {"width": 390, "height": 844})


@pytest.fixture
def shell(engine_host: PrivateEngine) -> Iterator[Shell]:
    made = Shell(engine_host)
    yield made
    made.leave_nothing(*HOST.steps)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size['width']}")
def test_an_experiment_is_launched_and_saved_as_a_report_with_the_keyboard(
    size: ViewportSize, visit: Visit, server: Server
) -> None:
    page = visit(viewport=size).open(server.url)
    assert walk_to(page, "Skip to content") == ["Skip to content"]
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    walk_to(page, "Launch")
    page.keyboard.press("Enter")
    shown = ExperimentPage(page)
    shown.wait_for("running")
    shown.wait_until_live()
    expect(page.locator("#answer [data-rule=namespace]")).to_be_visible()

    act(page, "evidence")
    expect(page.locator("tr[data-row] th").first).to_be_focused()
    act(page, "Try", key="Shift+Tab")
    act(page, "Request over every path")
    expect(page.locator("[data-slot=try-state]")).to_contain_text("paths tried")
    focus_is_kept(page)

    act(page, "Measure", key="Shift+Tab")
    walk_to(page, "Time limit (s)")
    page.keyboard.press("Control+a")
    page.keyboard.type("4")
    walk_to(page, "Measure")
    page.keyboard.press("Enter")
    page.wait_for_url("**/measurements/*/")
    walk_to(page, "Cancel")
    expect(page.locator("main")).to_have_attribute("data-state", "finished")
    focus_is_kept(page)
    walk_to(page, "The experiment", key="Shift+Tab")
    page.keyboard.press("Enter")

    page.wait_for_url("**/experiments/*/")
    shown.wait_until_live()
    act(page, "Report")
    walk_to(page, "Title")
    page.keyboard.type("By keyboard")
    walk_to(page, "Save report")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reports/*/")
    expect(page.get_by_role("heading", level=1)).to_have_text("By keyboard")
    page.go_back()
    shown.wait_until_live()
    act(page, "Stop", press="Space")
    shown.wait_for("stopped")
    focus_is_kept(page)
    server.forget_everything()


def choose(page: Page, step: str) -> None:
    """Chooses a prediction with the arrow keys and submits it."""
    radios = page.locator("[name=choice]")
    first = radios.first.evaluate("one => one.labels[0].innerText.trim()")
    walk_to(page, first)
    page.keyboard.press("Space")
    wanted = page.get_by_role("radio", name=EXPECTED[step][0], exact=True)
    for _ in range(radios.count()):
        if wanted.is_checked():
            break
        page.keyboard.press("ArrowDown")
    expect(wanted).to_be_checked()
    act(page, "Submit prediction")
    expect(page.get_by_text(f"Your prediction: {EXPECTED[step][0]}")).to_be_visible()
    focus_is_kept(page)


def walk_step(page: Page, expected: Step) -> None:
    """Predicts, runs every command, checks, and goes on."""
    step = StepPage(page)
    assert step.slug == expected.slug
    wait_for_script(page)  # a page that the browser loads after a form has the focus nowhere
    if expected.slug in EXPECTED:
        choose(page, expected.slug)
    if page.locator("details.folded").count():
        with page.expect_response("**/check/"):  # it completes by itself after a failed check
            act(page, "Show the solution")
    for number, button in enumerate(page.locator('[data-act="run"] button').all()):
        act(page, button.inner_text().partition("\n")[0].strip())
        step.wait_for_outcome(number)
        focus_is_kept(page)
    # Other steps with checks complete by themselves, and then the button disappears.
    if not expected.checks or expected.slug in HELD_FROM_THE_START:
        act(page, "Check" if expected.checks else "Mark as read")
    step.wait_until_done()
    focus_is_kept(page)
    following = page.locator("a.primary-link")
    name = following.inner_text().strip()
    if not following.evaluate("link => link === document.activeElement"):
        walk_to(page, name)
    with page.expect_navigation(wait_until="load"):
        page.keyboard.press("Enter")


def walk_workshop(visit: Visit, server: Server, size: ViewportSize, steps: tuple[Step, ...]) -> Page:
    server.forget_everything()
    page = visit(viewport=size).open(f"{server.url}/workshop/host-network/")
    again = page.get_by_role("button", name="Start over")
    if again.count():
        walk_to(page, "Start over")
        with page.expect_navigation(wait_until="load"):
            page.keyboard.press("Enter")
    walk_to(page, "Start")
    with page.expect_navigation(wait_until="load"):
        page.keyboard.press("Enter")
    for expected in steps:
        walk_step(page, expected)
    return page


@pytest.mark.usefixtures("shell")
def test_the_first_steps_of_a_workshop_can_be_done_with_the_keyboard_on_a_phone(visit: Visit, server: Server) -> None:
    page = walk_workshop(visit, server, SIZES[1], HOST.steps[:2])
    assert StepPage(page).slug == HOST.steps[2].slug


@pytest.mark.slow
@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size['width']}")
def test_the_whole_workshop_can_be_done_with_the_keyboard(size: ViewportSize, visit: Visit, server: Server) -> None:
    page = walk_workshop(visit, server, size, HOST.steps)
    expect(page.get_by_role("heading", name="Workshop completed")).to_be_visible()


def test_a_session_can_be_held_to_its_end_with_the_keyboard(visit: Visit, server: Server) -> None:
    page = visit(viewport=SIZES[0]).open(f"{server.url}/sessions/new/")
    walk_to(page, "Title")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()
    console = Console(page)

    phone = visit(signed_in=False, viewport=SIZES[1])
    joining = phone.open(console.link)
    expect(joining.get_by_label("Your name")).to_be_focused()
    joining.keyboard.type("Ada")
    joining.keyboard.press("Enter")
    joining.wait_for_url("**/sessions/*/")
    ada = ParticipantPage(joining, phone, "Ada")
    ada.live()
    expect(console.page.locator(".participants li")).to_have_count(1)

    act(page, "Next step")
    ada.page.wait_for_url(f"**/steps/{HOST.steps[1].slug}/", wait_until="load")
    ada.live()
    choose(ada.page, HOST.steps[1].slug)
    expect(page.locator("[data-region=people]")).to_contain_text("everyone has answered")
    focus_is_kept(page)
    act(page, "Reveal answers to all")
    expect(page.locator("[data-region=step]").get_by_text("revealed")).to_be_visible()
    focus_is_kept(page)
    expect(ada.page.locator("[data-step]")).to_have_attribute("data-stage", "done")
    focus_is_kept(ada.page)
    act(ada.page, "Why")
    act(page, "Next step")
    ada.page.wait_for_url(f"**/steps/{HOST.steps[2].slug}/", wait_until="load")
    expect(ada.page.get_by_text("Predict first")).to_be_visible()
    act(page, "Lock the step")
    expect(page.get_by_role("button", name="Unlock the step")).to_be_focused()
    act(page, "Close the session")
    walk_to(page, "Close it now")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This session is over and cannot be changed.")).to_be_visible()
    focus_is_kept(page)
    expect(ada.page.locator("[data-slot=closed]")).to_be_visible()
    expect(ada.page.get_by_text("Predict first")).to_be_hidden()
    walk_to(ada.page, "Your results")
