"""The conclusion at the top of an experiment's page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.server import Server
from tests.browser.visitor import Show
from tests.support.polling import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]

MODES = ["host", "bridge", "user-bridge"]
RULES = ["namespace", "discarded", "published", "address", "resolver"]


@pytest.fixture(scope="module")
def running(server: Server) -> Iterator[str]:
    """Three arms with a published port, shared by the tests of this module; each test leaves them unchanged."""
    identity = server.launch(modes=MODES, publish="8080:80")
    yield identity
    server.forget_everything()


def test_the_decisive_differences_are_above_the_fold(running: str, show: Show) -> None:
    page = show(running).page
    answer = page.locator("#answer")
    expect(answer.locator("[data-rule=discarded]")).to_contain_text("The Engine discarded -p for host")
    rules = answer.locator("ol > li")
    until(lambda: rules.evaluate_all("items => items.map(item => item.dataset.rule)") == RULES)
    expect(answer).to_contain_text("The same in every column:")
    box = answer.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < page.evaluate("innerHeight")


def test_evidence_leads_to_the_row(running: str, show: Show) -> None:
    shown = show(running)
    shown.page.locator("#answer [data-rule=discarded] a").click()
    row = shown.row("published/80/tcp/published")
    expect(row.locator("th")).to_be_focused()
    expect(row).to_be_in_viewport()


def test_evidence_opens_in_another_tab_with_the_control_key(running: str, show: Show) -> None:
    page = show(running).page
    with page.context.expect_page() as opened:
        page.locator("#answer [data-rule=discarded] a").click(modifiers=["Control"])
    expect(opened.value).to_have_url(f"{page.url}#section-published")


def test_an_arm_that_cannot_bind_its_port_is_trouble_with_its_cause(running: str, show: Show, server: Server) -> None:
    expect(show(running).page.locator("[data-slot=answer-trouble]")).to_be_hidden()
    page = show(server.launch(modes=["host", "bridge"])).page
    trouble = page.locator("[data-slot=answer-trouble]")
    expect(trouble).to_contain_text("1 of 2 containers is running: bridge.")
    expect(trouble).to_contain_text("listens on port 80 of this machine. Stop it, or choose another port.")
    expect(trouble.locator("[data-slot=holder-open]:visible")).to_have_attribute("href", f"/experiments/{running}/")
    expect(trouble.locator("form:visible")).to_have_attribute("action", f"/experiments/{running}/stop/")
    badge = page.locator("[data-slot=phase-badge]")
    expect(badge).to_contain_text("partly running")
    page.get_by_role("link", name="Replay", exact=True).click()
    expect(page.get_by_role("slider", name="Journal entry")).to_be_focused()
    expect(badge).to_contain_text("partly running")
