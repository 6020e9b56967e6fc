"""A class of six, two of them on phones, with projector and console open: nobody scrolls for a result.

``NETMODES_CLASS_PICTURES=FOLDER`` keeps numbered pictures of every page.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from dashboard.core.workshops.model import Step
from tests.browser.axe import violations, violations_of_another_state
from tests.browser.comparison import scrolls_sideways
from tests.browser.server import Server
from tests.browser.session_pages import Console, ParticipantPage, join, new_session
from tests.browser.training.test_sessions import press_together
from tests.browser.visitor import Visit
from tests.browser.workshop import StepPage
from tests.browser.workshops.test_workshop import EXPECTED, HOST, predict

pytestmark = [pytest.mark.browser, pytest.mark.engine]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LAPTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PROJECTOR: dict[str, Any] = {"viewport": {"width": 1280, "height": 720}}
NAMES = ("Ada", "Bob", "Cleo", "Dan", "Eve", "Finn")
ON_PHONES = {"Bob", "Eve"}
#: The result that needs most space on the projector.
LONGEST = max((step for step in HOST.steps if step.predict), key=lambda step: len(step.reveal))


@dataclass
class Pictures:
    """Numbered pictures of pages, if a folder is given."""

    folder: str = field(default_factory=lambda: os.environ.get("NETMODES_CLASS_PICTURES", ""))
    number: int = 0

    def take(self, name: str, *pages: tuple[str, Page]) -> None:
        """One picture of each page as it is on the screen."""
        if not self.folder:
            return
        for who, page in pages:
            self.number += 1
            page.screenshot(path=Path(self.folder, f"{self.number:03d}-{name}-{who}.png"))


@dataclass
class Class:
    """The pages of a class."""

    console: Console
    projector: Page
    people: list[ParticipantPage]
    pictures: Pictures = field(default_factory=Pictures)

    def take(self, name: str) -> None:
        """Pictures of all pages."""
        everybody = [(person.name.lower(), person.page) for person in self.people]
        self.pictures.take(name, ("projector", self.projector), ("console", self.console.page), *everybody)


def open_class(visit: Visit, server: Server, names: Sequence[str] = NAMES, **wanted: str) -> Class:
    """A session with its console, its projector and participants."""
    console = new_session(visit(**LAPTOP), server, "A class of six", max_participants="6", **wanted)
    projector = visit(**PROJECTOR).open(f"{console.page.url}projector/")
    expect(projector.locator("[data-slot=join-address]")).to_be_in_viewport(ratio=1)
    expect(projector.locator(".projector-code .qr")).to_be_in_viewport(ratio=1)
    assert projector.locator("[data-slot=code]").inner_text() == console.code
    people = [join(visit, console.link, name, **(PHONE if name in ON_PHONES else LAPTOP)) for name in names]
    expect(console.page.locator(".participants li")).to_have_count(len(names))
    return Class(console, projector, people)


def is_on_screen(locator: Locator) -> None:
    """Waits until the element is visible as a whole, without scrolling, and not squeezed to nothing."""
    expect(locator).to_be_in_viewport(ratio=1)
    box = locator.bounding_box()
    assert box is not None
    assert min(box["width"] / 5, box["height"]) >= 8, f"{locator}: {box}"


def everyone_predicts(group: Class, steps: list[StepPage], expected: Step) -> None:
    """All predict, the last one after the projector has shown that one is missing."""
    if expected.predict is None:
        return
    for step in steps[:-1]:
        predict(step)
    expect(group.projector.locator("[data-slot=answered]")).to_contain_text(str(len(steps) - 1))
    expect(group.projector.locator("[data-slot=everyone]")).to_have_count(0)
    predict(steps[-1])
    is_on_screen(group.projector.get_by_text("Everyone has answered."))
    expect(group.console.page.locator("[data-region=people]")).to_contain_text("everyone has answered")
    for bar in group.console.page.locator(".bar").all():
        is_on_screen(bar)
    group.pictures.take(f"{expected.slug}-answered", ("projector", group.projector), ("console", group.console.page))


def everyone_sees_the_result(group: Class, steps: list[StepPage], expected: Step) -> None:
    """Each participant's result is on the screen wherever the participant was."""
    for step in steps:
        step.wait_until_done()
        status = step.page.locator(".step-status")
        is_on_screen(status)
        if expected.slug in EXPECTED:
            expect(status).to_contain_text(EXPECTED[expected.slug][1])
        is_on_screen(step.page.locator("[data-region=next] > *"))
        assert not scrolls_sideways(step.page), step.slug


def the_projector_shows_the_result(group: Class, expected: Step) -> None:
    """After the reveal: the truth, the explanation and the diagram, on one screen."""
    if expected.predict is None:
        return
    group.console.press("Reveal answers to all")
    if expected.slug in EXPECTED:
        expect(group.projector.locator(".verdict")).to_contain_text(EXPECTED[expected.slug][1])
    for shown in (".verdict", "[data-slot=explanation]", "[data-slot=picture]", "[data-slot=join]"):
        is_on_screen(group.projector.locator(shown))
    for bar in group.projector.locator(".bar").all():
        is_on_screen(bar)
    fits_the_projector(group.projector, expected)


def fits_the_projector(projector: Page, expected: Step) -> None:
    """The projector does not scroll, and the way to join does not cover the explanation."""
    height, visible = projector.evaluate("[document.documentElement.scrollHeight, innerHeight]")
    assert height == visible, f"the projector scrolls in {expected.slug}"
    text, join = (projector.locator(f"[data-slot={name}]").bounding_box() for name in ("explanation", "join"))
    assert text is not None
    assert join is not None
    assert text["y"] + text["height"] <= join["y"], f"the way to join covers the explanation of {expected.slug}"


def follow(group: Class, expected: Step) -> list[StepPage]:
    """The participants' pages, which follow the instructor by themselves."""
    steps = []
    for person in group.people:
        person.page.wait_for_url(f"**/steps/{expected.slug}/", wait_until="load")
        person.live()
        steps.append(StepPage(person.page))
    return steps


@pytest.mark.slow
def test_a_class_of_six_works_to_the_end(visit: Visit, server: Server) -> None:
    group = open_class(visit, server, hosts="person")
    group.take("joined")
    for person in group.people:
        person.start_host()
        person.at(HOST.steps[0].slug)
    for number, expected in enumerate(HOST.steps):
        if number:
            group.console.press("Next step")
        steps = follow(group, expected)
        everyone_predicts(group, steps, expected)
        press_together(steps)
        for step in steps:
            step.complete(expected)
        everyone_sees_the_result(group, steps, expected)
        the_projector_shows_the_result(group, expected)
        group.take(expected.slug)
    for name in NAMES:
        expect(group.console.row(name).locator('td[data-stage="done"]')).to_have_count(len(HOST.steps))
    it_ends(group)
    group.take("closed")


def it_ends(group: Class) -> None:
    """The session is closed: everyone sees it, and forms are disabled."""
    group.console.page.get_by_text("Close the session").click()
    group.console.page.get_by_role("button", name="Close it now").click()
    is_on_screen(group.projector.locator("[data-slot=closed]"))
    for person in group.people:
        expect(person.page.locator("[data-slot=closed]")).to_be_visible()
        expect(person.page.locator("[data-session-forms]:not(:disabled)")).to_have_count(0)
        expect(person.page.locator("[data-session-forms]:disabled").first).to_be_attached()
        expect(person.page.locator("[data-slot=timer]")).to_be_hidden()


@pytest.mark.parametrize(
    "steps", [pytest.param([LONGEST], id="longest"), pytest.param(HOST.steps, marks=pytest.mark.slow, id="all")]
)
def test_every_result_fits_the_projector(visit: Visit, server: Server, steps: Sequence[Step]) -> None:
    console = new_session(visit(**LAPTOP), server, "On the projector")
    expect(console.page.locator("#pace")).to_have_value("together")
    expect(console.page.locator("#gate")).to_be_hidden()
    console.page.locator("#pace").select_option("gated")
    expect(console.page.locator("#gate")).to_be_visible()
    projector = visit(**PROJECTOR).open(f"{console.page.url}projector/")
    for expected in steps:
        if expected.predict is None:
            continue
        console.page.locator("#go-step").select_option(expected.slug)
        console.press("Go")
        expect(projector.locator("h1")).to_have_text(expected.title)
        console.press("Reveal answers to all")
        expect(projector.locator("[data-slot=explanation]")).to_be_visible()
        fits_the_projector(projector, expected)


@pytest.mark.parametrize("names", [NAMES[:2], pytest.param(NAMES, marks=pytest.mark.slow)], ids=len)
def test_a_class_without_hosts_predicts_and_sees_the_result(
    visit: Visit, server: Server, names: tuple[str, ...]
) -> None:
    group = open_class(visit, server, names)
    expected = HOST.steps[1]
    for person in group.people:
        person.live()
    group.console.press("Next step")
    steps = follow(group, expected)
    everyone_predicts(group, steps, expected)
    group.console.page.locator("#minutes").fill("9")
    group.console.press("Start")
    expect(group.people[0].page.locator("[data-slot=timer]")).to_be_visible()
    a_hint_reaches_a_phone(group)
    group.console.press("Reveal answers to all")
    for shown in ("[data-slot=explanation]", ".bar >> nth=0", ".bar >> nth=-1", "[data-slot=picture]"):
        is_on_screen(group.projector.locator(shown))
    for person in group.people:
        expect(person.page.locator("[data-step]")).to_have_attribute("data-stage", "done")
    group.take("revealed")
    found = violations(group.projector) + violations(group.console.page) + violations(group.people[1].page)
    it_ends(group)
    found += violations_of_another_state(group.projector) + violations_of_another_state(group.people[1].page)
    assert found == [], "\n".join(found)


def a_hint_reaches_a_phone(group: Class) -> None:
    """A hint appears on the screen of a phone that shows the end of a page; it also stays on the next page until it is
    dismissed."""
    phone = group.people[1].page
    phone.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    group.console.page.locator("[data-region=say] [name=text]").fill("Read the number.")
    group.console.page.locator("[data-region=say]").get_by_role("button", name="Send").click()
    toast = phone.locator("[data-slot=toast]")
    expect(toast).to_contain_text("Read the number.")
    is_on_screen(toast)
    assert toast.get_attribute("role") == "status"
    phone.reload()
    expect(toast).to_contain_text("Read the number.")
    toast.get_by_role("button", name="Dismiss").tap()
    expect(toast).to_be_empty()
    phone.reload()
    group.people[1].live()
    expect(phone.locator("[data-slot=messages]")).to_contain_text("Read the number.")
    expect(toast).to_be_empty()
