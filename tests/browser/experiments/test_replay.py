"""Replay of an experiment while it runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.axe import violations_of_another_state
from tests.browser.comparison import ExperimentPage
from tests.browser.server import Server
from tests.browser.visitor import Show, Visit
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.browser, pytest.mark.engine]
LISTENER = "listeners/tcp :9005/"
#: Keeps each word that the button Play shows.
WATCH_PLAY = """() => {
    const word = document.querySelector("[data-slot=play-word]");
    window.words = [];
    new MutationObserver(() => words.push(word.textContent)).observe(word, {childList: true, characterData: true});
}"""


@pytest.fixture(scope="module")
def running(server: Server) -> Iterator[str]:
    """A host arm and a bridge arm."""
    yield server.launch(modes=["host", "bridge"])
    server.forget_everything()


def scrubber(page: Page) -> Locator:
    return page.get_by_role("slider", name="Journal entry")


def open_replay(page: Page) -> Locator:
    """Opens the replay; the slider has the focus."""
    page.get_by_role("link", name="Replay", exact=True).click()
    expect(scrubber(page)).to_be_focused()
    return scrubber(page)


def listen(engine: PrivateEngine, identity: str, port: int) -> None:
    engine.docker("exec", "-d", f"nm-{identity}-bridge", "nc", "-l", "-p", str(port))


def leave(page: Page) -> None:
    page.get_by_role("button", name="Back to now").click()
    expect(page.get_by_role("region", name="Replay")).to_be_hidden()


def test_the_keyboard_selects_any_entry_and_returns_to_now(
    running: str, show: Show, engine_host: PrivateEngine
) -> None:
    shown = show(running)
    listen(engine_host, running, 9005)
    expect(shown.row(LISTENER)).to_have_count(1)
    page = shown.page
    slider = open_replay(page)
    expect(shown.row(LISTENER)).to_have_count(1)
    # Other changes may follow the listener, such as the end of the name lookups.
    shown.happened(":9005").locator("a.moment").click()
    slider.focus()
    page.keyboard.press(",")
    expect(shown.row(LISTENER)).to_have_count(0)
    page.keyboard.press(".")
    expect(shown.row(LISTENER)).to_have_count(1)
    expect(shown.cell(LISTENER, "bridge")).to_have_class("hit")
    page.keyboard.press("Home")
    expect(shown.head("bridge")).to_contain_text("waiting")
    expect(page.locator(".log li[aria-current=step]")).to_contain_text("Launch requested")
    assert "Launch requested" in (slider.get_attribute("aria-valuetext") or "")
    expect(page.locator("tr[data-row]")).to_have_count(0)
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("1")
    # A change during the replay is shown after it; the buttons are those of the current state.
    listen(engine_host, running, 9006)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.get_by_text("Past state", exact=True)).to_be_visible()
    leave(page)
    expect(page.get_by_role("link", name="Replay", exact=True)).to_be_focused()
    expect(shown.row("listeners/tcp :9006/")).to_have_count(1)
    expect(shown.happened(":9006")).to_have_count(1)
    expect(shown.head("bridge")).to_contain_text("running")


def test_a_replay_plays_to_the_end_and_a_timeline_item_selects_its_entry(running: str, show: Show) -> None:
    page = show(running).page
    slider = open_replay(page)
    page.keyboard.press("Home")
    expect(slider).to_have_value("0")
    page.evaluate(WATCH_PLAY)
    page.keyboard.press(" ")
    until(lambda: "Pause" in page.evaluate("words"))  # a short recording ends before the button can be read
    page.get_by_label("Speed").select_option("16")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(slider).to_have_value(slider.get_attribute("max") or "")
    expect(page.locator("#announcements")).not_to_be_empty()
    line = page.locator(".log li:not([aria-current])").first
    seq = line.get_attribute("data-seq") or ""
    line.locator("a.moment").click()
    expect(page.locator(".log li[aria-current=step]")).to_have_attribute("data-seq", seq)
    assert page.url.endswith(f"/{running}/#replay")


def test_with_the_keyboard_a_timeline_item_keeps_the_focus_and_escape_closes_the_replay(
    running: str, show: Show
) -> None:
    page = show(running).page
    slider = open_replay(page)
    page.keyboard.press("Home")
    expect(slider).to_have_value("0")
    current = page.locator(".log li[aria-current=step]")
    expect(current).to_contain_text("Launch requested")

    def select(line: Locator) -> None:
        seq = line.get_attribute("data-seq") or ""
        line.locator("a.moment").focus()
        page.keyboard.press("Enter")
        expect(current).to_have_attribute("data-seq", seq)
        expect(current.locator("a.moment")).to_be_focused()
        slider.focus()

    select(page.locator(".log li").last)
    page.keyboard.press("End")
    expect(slider).to_have_value(slider.get_attribute("max") or "")
    select(page.locator(".log li").first)
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Replay")).to_be_hidden()
    expect(page.get_by_role("link", name="Replay", exact=True)).to_be_focused()


def test_the_focus_stays_where_it_was_moved_before_the_timeline_is_drawn(running: str, show: Show) -> None:
    page = show(running).page
    slider = open_replay(page)
    line = page.locator(".log li").first
    seq = line.get_attribute("data-seq") or ""
    page.evaluate("() => { window.delayed = []; window.requestAnimationFrame = (draw) => delayed.push(draw); }")
    line.locator("a.moment").click()
    slider.focus()
    page.evaluate("delayed.splice(0).forEach((draw) => draw(performance.now()))")
    expect(page.locator(".log li[aria-current=step]")).to_have_attribute("data-seq", seq)
    expect(slider).to_be_focused()


def test_a_replay_that_is_left_while_it_loads_does_not_open(
    running: str, show: Show, engine_host: PrivateEngine
) -> None:
    shown = show(running)
    page = shown.page
    loads: list[Route] = []
    page.route("**/track/", lambda route: loads.append(route))  # noqa: PLW0108 - Playwright refuses a method
    with page.expect_request("**/track/"):
        page.get_by_role("link", name="Replay", exact=True).click()
    page.get_by_role("link", name="Try", exact=True).click()
    with page.expect_response("**/track/") as loaded:
        loads[0].continue_()
    loaded.value.finished()
    listen(engine_host, running, 9007)
    page.get_by_role("link", name="Table", exact=True).click()
    expect(shown.row("listeners/tcp :9007/")).to_have_count(1)
    expect(page.get_by_role("region", name="Replay")).to_be_hidden()
    page.unroute("**/track/")
    open_replay(page)


def test_the_page_remains_live_after_a_recording_that_it_cannot_read(
    running: str, show: Show, engine_host: PrivateEngine
) -> None:
    shown = show(running)
    page = shown.page
    page.route("**/track/", lambda route: route.fulfill(json={"v": 0, "seqs": [1]}))
    page.get_by_role("link", name="Replay", exact=True).click()
    expect(page.locator("[data-slot=replay-state]")).to_contain_text("not a recording of this version")
    listen(engine_host, running, 9008)
    page.get_by_role("link", name="Table", exact=True).click()
    expect(shown.row("listeners/tcp :9008/")).to_have_count(1)


def test_the_slider_has_the_shown_entry_before_the_first_frame(running: str, show: Show) -> None:
    """Otherwise a key that is pressed before that frame, such as Home, changes nothing."""
    page = show(running).page
    page.evaluate("window.requestAnimationFrame = () => 0")
    slider = open_replay(page)
    expect(slider).to_have_value(slider.get_attribute("max") or "")


def test_a_past_state_is_recognisable_for_everybody(running: str, show: Show) -> None:
    shown = show(running)
    open_replay(shown.page)
    shown.page.keyboard.press("Home")
    expect(shown.page.get_by_text("Past state", exact=True)).to_be_visible()
    assert violations_of_another_state(shown.page) == []


def test_without_javascript_timeline_items_link_to_past_states(running: str, visit: Visit, server: Server) -> None:
    page = visit(java_script_enabled=False).open(f"{server.url}/experiments/{running}/")
    expect(page.get_by_role("link", name="Replay", exact=True)).to_be_hidden()
    page.locator(".log a.moment").first.click()
    expect(page.locator("[data-slot=as-it-was]")).to_contain_text("State at")
    expect(ExperimentPage(page).head("bridge")).to_contain_text("waiting")
    expect(page.locator("[data-slot=phase-badge]")).not_to_contain_text("running")
    expect(page.get_by_role("button", name="Restart", exact=True)).to_be_visible()


@pytest.mark.slow
def test_the_replay_of_a_stopped_experiment_starts_at_its_shown_state(server: Server, show: Show) -> None:
    identity = server.launch(modes=["host", "bridge"])
    server.api(f"experiments/{identity}/stop", {})
    shown = show(identity, live=False)
    shown.wait_for("stopped")
    shown.page.reload()
    expect(shown.page.locator("[data-slot=as-it-was]")).to_contain_text("This is the state before the stop")
    slider = open_replay(shown.page)
    expect(shown.head("bridge")).to_contain_text("running")
    assert int(slider.input_value()) < int(slider.get_attribute("max") or 0)
    shown.page.keyboard.press("End")
    expect(shown.head("bridge")).to_contain_text("removed")
    leave(shown.page)
    expect(shown.page.locator("[data-slot=as-it-was]")).to_contain_text("This is the state before the stop")
