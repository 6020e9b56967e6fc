"""After a session: its results in the browser, and its replay from a file without a network."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.server import Server
from tests.browser.session_pages import Console, ParticipantPage, join, new_session
from tests.browser.visitor import Visit, Visitor
from tests.browser.workshop import StepPage
from tests.browser.workshops.test_workshop import HOST

pytestmark = [pytest.mark.browser, pytest.mark.engine]
ASKED = HOST.steps[1].predict


def predict(person: ParticipantPage, answer: str) -> None:
    """Submits a prediction in the second step."""
    person.page.wait_for_url("**/steps/launch/")  # it follows the instructor by itself
    step = StepPage(person.page)
    step.page.get_by_role("radio", name=answer, exact=True).check()
    step.page.get_by_role("button", name="Submit prediction").click()
    expect(step.page.get_by_text(f"Your prediction: {answer}")).to_be_visible()


def hold_session(console: Console, people: list[ParticipantPage], experiment: str) -> str:
    """A session with predictions, a revealed answer and an end. If an experiment is given, its comparison is shared;
    returns the row that is highlighted in it."""
    for person in people:
        person.live()
    console.press("Next step")
    expect(console.page.locator("#step-title")).to_contain_text("Step 2")
    assert ASKED is not None
    for person, answer in zip(people, ASKED.choices, strict=False):
        predict(person, answer)
    row = point(console, experiment) if experiment else ""
    console.press("Reveal answers to all")
    expect(console.page.locator("[data-region=step]").get_by_text("revealed")).to_be_visible()
    console.page.get_by_text("Close the session").click()
    console.page.get_by_role("button", name="Close it now").click()
    expect(console.page.get_by_text("cannot be changed")).to_be_visible()
    return row


def point(console: Console, experiment: str) -> str:
    """Shows the comparison of an experiment to all and highlights a row, which is returned."""
    console.page.locator("[name=experiment]").select_option(experiment)
    console.page.get_by_role("button", name="Show", exact=True).click()
    pointer = console.page.locator("#pointer")
    expect(pointer).to_be_visible()
    row = pointer.locator("option").nth(1).get_attribute("value") or ""
    pointer.select_option(row)
    console.page.get_by_role("button", name="Point", exact=True).click()
    expect(pointer).to_have_value(row)
    return row


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["short", "whole"])
def test_results_and_the_replay_of_a_session_can_be_seen_exported_and_shared(
    visitor: Visitor, visit: Visit, server: Server, tmp_path: Path, *, whole: bool
) -> None:
    experiment = server.launch(modes=["host", "none"], title="Shown to all") if whole else ""
    console = new_session(visitor, server, "Looked back")
    people = [join(visit, console.link, name) for name in (("Ada", "Bob") if whole else ("Ada",))]
    row = hold_session(console, people, experiment)

    console.page.get_by_role("link", name="Results").first.click()
    page = console.page
    expect(page.get_by_role("heading", name="Results of “Looked back”")).to_be_visible()
    counts = page.locator('[data-answers="launch"] .count')
    for place, count in enumerate(("1", "1" if whole else "0")):
        expect(counts.nth(place)).to_have_text(count)
    page.get_by_role("link", name="Ada", exact=True).click()
    expect(page.locator("#person").get_by_role("heading", name="Ada")).to_be_visible()
    found = violations(page)
    home = page.url.partition("/results/")[0]
    # By the browser: other programs may not resolve the installation's own name.
    replay = page.evaluate("async (url) => (await fetch(url)).text()", f"{home}/console/results/replay.html").encode()
    page.goto(f"{home}/console/results/share/")
    found += violations(page) if whole else []
    page.get_by_role("button", name="Create link").click()
    link = page.locator(".new-link code").inner_text()

    ada = people[0].page
    ada.get_by_role("link", name="Your results").first.click()
    expect(ada.get_by_role("heading", name="Your result so far")).to_be_visible()
    ada.get_by_role("button", name="Create a link to your results").click()
    own = ada.locator(".new-link code").inner_text()
    found += violations(ada)
    outside = visit(signed_in=False)
    for url in (own, link):
        shown = outside.open(url)
        expect(shown.locator('[data-answers="launch"]')).to_be_visible()
        found += violations(shown) if whole or url == own else []
    server.forget_everything()

    file = tmp_path / "replay.html"
    file.write_bytes(replay)
    away = visit(signed_in=False, offline=True)
    page = away.open(file.as_uri())
    expect(page.get_by_role("slider", name="Journal entry")).to_be_focused()
    if whole:
        plays_from_the_file(page, row)
    found += violations(page)
    assert found == [], "\n".join(found)


def plays_from_the_file(page: Page, row: str) -> None:
    """Plays the file from the beginning to the end with the keyboard."""
    slider = page.get_by_role("slider", name="Journal entry")
    expect(slider).to_be_focused()
    expect(slider).to_have_value("0")
    title = page.locator("[data-slot=now-title]")
    expect(title).to_contain_text("Step 1 of")
    expect(page.locator("tr[data-person] .dot.away")).to_have_count(2)
    page.keyboard.press(".")
    expect(page.locator("tr[data-person] .dot.away")).to_have_count(1)
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_label("Speed").select_option("16")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(slider).to_have_value(slider.get_attribute("max") or "")
    expect(title).to_contain_text("Step 2 of")
    assert page.locator(".stage .bar-count").all_inner_texts()[:2] == ["1", "1"]
    expect(page.locator(".stage .verdict")).to_be_visible()
    expect(page.locator('[data-cell="0.1"]')).to_have_attribute("data-stage", "done")
    expect(page.locator("#comparison tr[data-pointed]")).to_have_attribute("data-row", row)
    expect(page.locator(".stage [data-slot=closed]")).to_be_visible()
    page.keyboard.press("Home")
    expect(page.locator("#comparison")).to_be_hidden()
    expect(page.locator(".log li[aria-current=step]")).to_contain_text("Session created")
    page.get_by_role("button", name="Close replay").click()
    expect(page.get_by_role("region", name="Replay")).to_be_hidden()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(slider).to_be_focused()
