"""Participants use their own hosts freely, and the instructor watches."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.comparison import ExperimentPage, scrolls_sideways
from tests.browser.server import Server
from tests.browser.session_pages import Console, ParticipantPage, join, new_session
from tests.browser.visitor import Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.engine]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
RUN_MS = 40_000


def is_live(page: Page) -> None:
    """Waits until the experiment's websocket has delivered its snapshot."""
    expect(page.locator(".head [data-connection]")).to_have_attribute("data-connection", "live")


def launched(person: ParticipantPage) -> str:
    """Launches an experiment with the form's defaults, waits until its programs listen, and returns its URL."""
    person.page.get_by_role("link", name="Open your host", exact=True).first.click()
    expect(person.page.locator("#field-image")).to_have_css("font-weight", "400")
    person.page.get_by_role("button", name="Launch", exact=True).click()
    person.page.wait_for_url("**/lab/experiments/*/")
    shown = ExperimentPage(person.page)
    shown.wait_for("running")
    is_live(person.page)
    for column in ("host", "bridge"):
        expect(shown.cell("listeners/tcp :80/", column)).to_contain_text("nginx")
    return person.page.url


def measured(person: ParticipantPage) -> None:
    """Measures the experiment of the open page for one second, and waits on the page of the run until it ends."""
    page = person.page
    page.locator("[data-view=measure]").click()
    page.locator("#measure-seconds").fill("1")
    page.locator("#measure").get_by_role("button", name="Measure", exact=True).click()
    page.wait_for_url("**/lab/measurements/*/")
    expect(page.locator("main")).to_have_attribute("data-state", "finished", timeout=RUN_MS)


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["short", "whole"])
def test_a_participant_uses_its_own_host_freely(visitor: Visitor, visit: Visit, server: Server, *, whole: bool) -> None:
    console = new_session(visitor, server, "At will", hosts="person")
    ada, bob = join(visit, console.link, "Ada", **PHONE), join(visit, console.link, "Bob")
    ada.start_host()
    hers = launched(ada)
    page = ada.page
    page.locator("[data-view=try]").click()
    page.get_by_role("button", name="Request over every path").click()
    expect(page.locator("[data-slot=attempts] [data-slot=status]").first).to_have_text("200 OK")
    assert page.get_by_role("link", name="Report", exact=True).count() == 0
    page.reload()  # what changed is lit for a moment
    is_live(page)
    found = violations(page)
    assert not scrolls_sideways(page)

    bob.who.expect("404")
    bob.page.goto(hers)
    expect(bob.page.get_by_role("heading", name="Not found")).to_be_visible()

    if whole:
        found += the_instructor_watches(console, ada)
        found += a_run_and_a_claim(ada)
    assert server.api("experiments") == []
    page.goto(hers)
    is_live(page)
    console.page.goto(f"{ada.home}console/")
    console.page.get_by_text("Close the session").click()
    console.page.get_by_role("button", name="Close it now").click()
    expect(page.locator("[data-slot=phase-badge]")).to_have_attribute("data-phase", "stopped", timeout=RUN_MS)
    assert found == [], "\n".join(found)


def test_the_page_of_an_ended_run_still_follows_the_session(visitor: Visitor, visit: Visit, server: Server) -> None:
    console = new_session(visitor, server, "Measured", hosts="person")
    ada = join(visit, console.link, "Ada")
    ada.start_host()
    launched(ada)
    measured(ada)
    console.press("Next step")
    expect(ada.page.locator(".session-bar [data-slot=now-title]")).to_contain_text("2. ")


def the_instructor_watches(console: Console, ada: ParticipantPage) -> list[str]:
    """The instructor sees Ada's runs and opens her experiment; a hint reaches her page. Returns the violations."""
    page = ada.page
    helping = console.page
    console.row("Ada").get_by_role("link", name="Ada").click()
    runs = helping.locator("[data-region=runs]")
    expect(runs.locator("tbody tr")).to_have_count(2)
    found = violations(helping)
    runs.locator(".experiments a.title").first.click()
    is_live(helping)
    assert helping.get_by_role("button", name="Stop", exact=True).count() == 0
    helping.get_by_label("A hint for Ada").fill("Look at the listeners.")
    helping.get_by_role("button", name="Send").click()
    expect(page.locator("[data-slot=messages]")).to_contain_text("Look at the listeners.")
    is_live(helping)
    found += violations(helping)
    return found


def a_run_and_a_claim(ada: ParticipantPage) -> list[str]:
    """Ada measures and runs a claim on her host, and opens the list of both. Returns the violations."""
    page = ada.page
    measured(ada)
    expect(page.locator('tr[data-series="host/loopback"]')).to_be_visible()
    found = violations(page)
    assert not scrolls_sideways(page)

    page.goto(f"{ada.home}lab/claims/")
    page.locator("#claim-host-shares-netns").get_by_role("button", name=re.compile("^Run")).click()
    expect(page.locator("#claim-host-shares-netns .verdict")).to_contain_text("confirmed", timeout=RUN_MS)
    expect(page.locator("#claim-proxy-costs")).to_contain_text("not quiet")
    found += violations(page)
    assert not scrolls_sideways(page)

    page.goto(f"{ada.home}lab/")
    expect(page.locator("#measurements a.title")).to_have_count(1)
    found += violations(page)
    assert not scrolls_sideways(page)
    return found
