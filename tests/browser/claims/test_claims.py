"""Claims in a browser: run, followed live, with evidence; a misconception; axe."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.axe import violations, violations_of_another_state
from tests.browser.server import Server
from tests.browser.visitor import DEADLINE_MS, Visit, Visitor
from tests.support.polling import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.mark.slow
def test_a_claim_is_run_and_shows_its_evidence(server: Server, visitor: Visitor) -> None:
    page = visitor.open(f"{server.url}/claims/")
    assert violations(page) == []
    page.set_viewport_size({"width": 1280, "height": 900})
    claim = page.locator("#claim-host-no-address")
    expect(claim.locator(".verdict")).to_contain_text("not run yet")
    claim.locator("summary").click()
    claim.get_by_role("button", name="Run").click()
    expect(page.locator("#main")).to_have_attribute("data-live", "no", timeout=30_000)
    expect(claim.locator(".verdict")).to_have_text("confirmed")
    claim.locator("summary").click()
    expect(claim.locator(".evidence")).to_contain_text(
        re.compile(r"NetworkSettings\.Networks\.host\.IPAddress\s*empty")
    )
    runs = page.get_by_role("region", name="Runs").get_by_role("listitem")
    expect(runs.first).to_contain_text("1 confirmed")
    expect(page.get_by_role("status")).to_have_text("The run has finished.")
    assert violations(page) == []


def test_a_page_that_cannot_be_fetched_shows_since_when_it_is_out_of_date(server: Server, visitor: Visitor) -> None:
    visitor.expect("ERR_FAILED")
    visitor.context.add_init_script(
        """document.addEventListener("readystatechange", () => {
            document.getElementById("main").dataset.live = "yes"; // as during a run, until the page is fetched
        }, { once: true });"""
    )
    fetched = "**/claims/"
    visitor.context.route(
        fetched, lambda route: route.abort() if route.request.resource_type == "fetch" else route.continue_()
    )
    page = visitor.open(f"{server.url}/claims/")
    stale = page.locator(".stale")
    expect(stale).to_have_text(re.compile(r"Not live since \d\d:\d\d:\d\d: this page may be out of date\."))
    visitor.context.unroute(fetched)
    expect(page.locator("#main")).to_have_attribute("data-live", "no")
    expect(stale).to_be_hidden()


def test_a_search_that_is_typed_before_the_script_runs_is_not_lost(server: Server, visitor: Visitor) -> None:
    page = visitor.open(f"{server.url}/")
    held: list[Route] = []
    page.route("**/claims/questions*.js", lambda route: held.append(route))  # noqa: PLW0108 - Playwright refuses a method
    with page.expect_request("**/claims/questions*.js"):
        page.goto(f"{server.url}/questions/", wait_until="commit")
    page.get_by_role("searchbox", name="What do you see?").fill("empty reply from server")
    held[0].continue_()
    expect(page.locator("section.question-card:visible")).to_have_count(1)


def test_a_question_is_found_by_its_symptom_and_answered_by_a_run(server: Server, visitor: Visitor) -> None:
    page = visitor.open(f"{server.url}/")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Questions").click()
    assert violations_of_another_state(page) == []
    field = page.get_by_role("searchbox", name="What do you see?")
    field.press_sequentially("empty reply from server")
    questions = page.locator("section.question-card:visible")
    expect(questions).to_have_count(1)
    expect(page.locator('[data-slot="found"]')).to_have_text("1 of 25 questions")
    expect(page).to_have_url(re.compile(r"/questions/\?q=empty\+reply\+from\+server$"))
    field.fill("")
    expect(questions).to_have_count(25)
    field.fill("exposed by its image")
    question = page.locator("#question-ps-without-ports")
    question.locator("details.of-question > summary").focus()
    page.keyboard.press("Enter")
    claim = page.locator("#claim-ps-without-ports-exposed-not-published")
    claim.get_by_role("button", name="Run exposed-not-published").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**open=ps-without-ports**")
    expect(page.locator("#main")).to_have_attribute("data-live", "no", timeout=30_000)
    expect(claim.locator(".verdict")).to_have_text("confirmed")
    expect(question.locator(".question-run .verdict")).to_contain_text("confirmed")
    expect(field).to_have_value("exposed by its image")
    claim.locator("summary").click()
    expect(claim.locator(".evidence")).to_contain_text("80/tcp at no port")
    assert violations(page) == []


def test_without_javascript_the_server_searches(server: Server, visit: Visit) -> None:
    page = visit(java_script_enabled=False).open(f"{server.url}/questions/")
    page.get_by_label("What do you see?").fill("source is 172.17.0.1")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#question-client-address")).to_be_visible()
    expect(page.locator("#question-multicast")).to_be_hidden()


def test_a_misconception_is_predicted_run_and_explained(server: Server, visitor: Visitor) -> None:
    page = visitor.open(f"{server.url}/misconceptions/")
    card = page.locator(".gallery > li").first
    left = [card.locator(part).bounding_box() for part in ("h2 a", "p")]
    assert left[0] is not None
    assert left[1] is not None
    assert left[0]["x"] == left[1]["x"]
    page.get_by_role("link", name="A network sysctl in host mode").click()
    page.get_by_label("It is ignored").check()
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("incorrect", exact=True)).to_be_visible()
    expect(page.locator(".evidence")).to_contain_text("refused at start")
    expect(page.locator("#main")).to_have_attribute("data-live", "no")
    assert violations(page) == []


def test_without_javascript_a_run_is_followed_by_reloading(server: Server, visit: Visit) -> None:
    page = visit(java_script_enabled=False).open(f"{server.url}/misconceptions/sysctl-refused/")
    page.get_by_label("It is refused when the container starts").check()
    with page.expect_navigation():
        page.get_by_role("button", name="Run").click()

    def is_over() -> bool:
        page.reload()
        return page.get_by_role("heading", name="What happened").is_visible()

    until(is_over, DEADLINE_MS / 1000)
    expect(page.get_by_text("correct", exact=True)).to_be_visible()
