"""A training session in the browser: the instructor's console, and participants who join with a code."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.server import Server
from tests.browser.visitor import Visit, Visitor
from tests.browser.workshop import StepPage

HOST_MS = 60_000


class Console:
    """The instructor's console."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def code(self) -> str:
        """The join code that the console shows."""
        return self.page.locator("[data-slot=code]").inner_text()

    @property
    def link(self) -> str:
        """The join link."""
        return self.page.locator("[data-region=code] .command code").first.inner_text()

    def row(self, name: str) -> Locator:
        """A participant's row in the grid."""
        return self.page.locator("table.grid tbody tr", has=self.page.get_by_role("link", name=name, exact=True))

    def cell(self, name: str, step: str) -> Locator:
        """The cell of a participant and a step."""
        return self.row(name).locator(f'td[data-step="{step}"]')

    def asking(self) -> Locator:
        """The names of participants that need help."""
        return self.page.locator("[data-region=help] .asking li")

    def press(self, name: str) -> None:
        """Presses a button of the console."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def pace_gated(self, gate: str) -> None:
        """Sets the pace: participants go on at their own pace, up to a gate."""
        self.page.locator("#pace").select_option("gated")
        self.page.locator("#gate").select_option(gate)
        self.page.locator("#pace").locator("..").get_by_role("button", name="Set").click()
        expect(self.page.locator("#gate")).to_have_value(gate)


class ParticipantPage:
    """A participant's browser."""

    def __init__(self, page: Page, who: Visitor, name: str) -> None:
        self.page, self.who, self.name = page, who, name

    @property
    def home(self) -> str:
        """The lobby's address."""
        found = re.match(r".*/sessions/[a-z0-9]+/", self.page.url)
        assert found is not None, self.page.url
        return found[0]

    def start_host(self) -> None:
        """Requests the participant's own host, and waits until it is ready."""
        self.page.get_by_role("button", name="Start host").click()
        self.wait_for_host()

    def wait_for_host(self) -> None:
        """Waits until the participant's own host is ready."""
        expect(self.page.locator("[data-slot=host]")).to_have_attribute("data-stage", "ready", timeout=HOST_MS)

    def at(self, step: str) -> StepPage:
        """The page of a step."""
        self.page.goto(f"{self.home}steps/{step}/")
        return StepPage(self.page)

    def live(self) -> None:
        """Waits until the page has received the session's state."""
        expect(self.page.locator("[data-slot=connection]")).to_have_attribute("data-connection", "live")


def new_session(visitor: Visitor, server: Server, title: str, **wanted: str) -> Console:
    """Creates a session with the instructor's form, and waits until its console is live: before that, the browser sends
    the console's forms itself and loads the page again. ``wanted`` are values of fields; ``on`` ticks a box."""
    page = visitor.open(f"{server.url}/sessions/new/")
    page.locator("#title").fill(title)
    for name, value in wanted.items():
        field = page.locator(f"[name={name}]")
        if value == "on":
            field.check()
        elif field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    page.get_by_role("button", name="Create session").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator(".head [data-slot=connection]")).to_have_attribute("data-connection", "live")
    return Console(page)


def join(visit: Visit, link: str, name: str, **options: object) -> ParticipantPage:
    """Opens the join link without an account, enters a name and waits for the lobby."""
    who = visit(signed_in=False, **options)
    page = who.open(link)
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Join").click()
    page.wait_for_url("**/sessions/*/")
    return ParticipantPage(page, who, name)
