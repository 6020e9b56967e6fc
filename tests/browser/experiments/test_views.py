"""The views of an experiment's page: Answer, Table, Try, Inspect, Trace, Measure, Replay, Report."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.server import Server
from tests.browser.visitor import Show, Visit, wait_for_next_frame
from tests.support.polling import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]
VIEWS = ["answer", "table", "try", "inspect", "trace", "measure", "replay", "report"]


@pytest.fixture(scope="module")
def running(server: Server) -> Iterator[str]:
    """Two arms with a published port, shared by the tests of this module; each test leaves them unchanged."""
    yield server.launch(modes=["host", "bridge"], publish="8080:80")
    server.forget_everything()


def is_current(page: Page, view: str) -> None:
    """Waits until the page marks this view, and no other, as the current one. After a load it is shown earlier."""
    expect(page.locator(".tabs [data-view][aria-current]")).to_have_count(1)
    expect(page.locator(".tabs [data-view][aria-current]")).to_have_attribute("data-view", view)


def test_the_hash_names_the_view_and_the_back_button_returns(running: str, show: Show) -> None:
    page = show(running).page
    assert page.locator(".tabs [data-view]").evaluate_all("links => links.map(link => link.dataset.view)") == VIEWS
    is_current(page, "answer")
    page.get_by_role("link", name="Table", exact=True).press("Enter")
    expect(page.locator("#answer")).to_be_hidden()
    expect(page.locator("#comparison")).to_be_visible()
    page.get_by_role("link", name="Try", exact=True).click()
    expect(page.locator("#try")).to_be_visible()
    expect(page.locator("#comparison")).to_be_hidden()
    expect(page).to_have_url(re.compile("#try$"))
    page.reload()
    expect(page.locator("#try")).to_be_visible()
    is_current(page, "try")
    page.go_back()
    expect(page.locator("#comparison")).to_be_visible()
    is_current(page, "table")


def test_without_javascript_every_view_is_on_the_page(running: str, visit: Visit, server: Server) -> None:
    page = visit(java_script_enabled=False).open(f"{server.url}/experiments/{running}/#try")
    for name in ("answer", "try", "inspect", "trace", "measure", "report", "comparison"):
        expect(page.locator(f"#{name}")).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_the_diagram_is_beside_the_answer_if_there_is_room(
    running: str, visit: Visit, server: Server, width: int, height: int
) -> None:
    page = visit(viewport={"width": width, "height": height}).open(f"{server.url}/experiments/{running}/")
    answer = page.locator("#answer").bounding_box()
    picture = page.locator(".drawing").bounding_box()
    assert answer is not None
    assert picture is not None
    assert (picture["y"] == answer["y"]) == (width >= 1200)


def test_forced_colors_show_which_view_is_current(running: str, show: Show) -> None:
    page = show(running).page
    page.emulate_media(forced_colors="active")
    lines = page.locator(".tabs a").evaluate_all("links => links.map(link => getComputedStyle(link).borderBottomColor)")
    assert lines.count(lines[0]) == 1, "the current view is marked like the others"
    assert len(set(lines[1:])) == 1


def test_the_answer_states_the_result_of_try(running: str, show: Show) -> None:
    page = show(running).page
    page.get_by_role("link", name="Try", exact=True).click()
    page.get_by_role("button", name="Request over every path").click()
    expect(page.locator("[data-slot=try-state]")).to_have_text(re.compile(r"^\d+ paths tried$"))
    assert page.locator(".attempt.off").count() > 0, "the host arm has no published port"
    expect(page.locator("[data-slot=try-state]")).to_have_text(
        f"{page.locator('.attempt:not(.off)').count()} paths tried"
    )
    edges = page.locator(".attempt").evaluate_all("all => all.map(one => one.getBoundingClientRect().left)")
    assert len(set(edges)) >= 3, "responses are side by side"
    page.get_by_role("link", name="Answer", exact=True).click()
    expect(page.locator("#answer")).to_contain_text("saw the client 172.17.0.1 through docker-proxy")
    page.locator("#answer").get_by_role("link", name="try it").click()
    expect(page.locator("#try")).to_be_visible()


@pytest.mark.parametrize("minutes", [-10, 10], ids=["behind", "ahead"])
def test_the_running_time_is_the_server_s_although_the_clock_of_the_browser_is_wrong(
    running: str, visit: Visit, server: Server, minutes: int
) -> None:
    visitor = visit()
    visitor.context.add_init_script(f"const now = Date.now; Date.now = () => now() + {minutes * 60_000};")
    page = visitor.open(f"{server.url}/experiments/{running}/#try")
    expect(page.locator(".head [data-connection]")).to_have_attribute("data-connection", "live")
    elapsed = page.locator("[data-elapsed]")
    expect(elapsed).not_to_have_text(elapsed.inner_text())  # the script has drawn it
    shown = re.fullmatch(r"(?:(\d+) min )?(\d+) s", elapsed.inner_text())
    assert shown is not None
    started_at = server.api(f"experiments/{running}")["experiment"]["started_at"]
    assert abs(int(shown[1] or 0) * 60 + int(shown[2]) - (time.time() - started_at)) < 60
    page.get_by_role("button", name="Request over every path").click()
    expect(page.locator("[data-slot=try-state]")).to_have_text(re.compile(r"^\d+ paths tried$"))
    tried_at = page.locator("[data-slot=tried-at] time").get_attribute("datetime") or ""
    assert abs(datetime.fromisoformat(tried_at).timestamp() - time.time()) < 60


def test_a_trace_is_chosen_in_its_view(running: str, show: Show) -> None:
    page = show(running).page
    page.get_by_role("link", name="Trace", exact=True).click()
    page.locator("[data-slot=trace-choices]").get_by_role("button", name="Trace 127.0.0.1 to host").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Observed hops")
    is_current(page, "trace")


def test_a_filter_finds_rows_that_are_hidden_as_the_same_or_as_details(running: str, show: Show) -> None:
    shown = show(running)
    page = shown.page
    row = page.locator('tr[data-row="sysctls/net.core.somaxconn/"]')
    expect(row).to_be_hidden()
    expect(page.get_by_label("Differences only")).to_be_checked()
    page.get_by_label("Filter rows").fill("somaxconn")
    expect(row).to_be_visible()
    expect(page.locator("#comparison [data-slot=total-counts]")).to_contain_text(re.compile(r"^1 of \d+ rows match$"))
    page.get_by_label("Filter rows").fill("")
    expect(row).to_be_hidden()


def test_details_are_folded_at_first(running: str, show: Show) -> None:
    page = show(running).page
    row = page.locator('tr[data-row="interfaces/docker0/mac"]')
    expect(row).to_be_hidden()
    button = page.locator("#section-interfaces [data-show-details]")
    button.click()
    expect(row).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")


def test_a_command_runs_in_all_columns_at_once(running: str, show: Show) -> None:
    page = show(running).page
    page.get_by_role("link", name="Inspect", exact=True).click()
    page.get_by_label("Column").select_option(label="all columns")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("[data-slot=inspect-state]")).to_contain_text("Finished")
    assert page.locator("[data-slot=output-title]").all_inner_texts() == ["this machine", "host", "bridge"]
    for output in page.locator("[data-slot=output]").all():
        expect(output).to_contain_text("lo")


@pytest.mark.parametrize(("width", "height"), [pytest.param(1440, 900, marks=pytest.mark.slow), (390, 844)])
@pytest.mark.parametrize(
    "view", ["table", "replay", *(pytest.param(view, marks=pytest.mark.slow) for view in ("try", "trace", "measure"))]
)
def test_a_view_opened_by_its_address_begins_at_the_top(
    running: str, visit: Visit, server: Server, view: str, width: int, height: int
) -> None:
    visitor = visit(viewport={"width": width, "height": height})
    page = visitor.open(f"{server.url}/experiments/{running}/#{view}")
    for is_loaded_again in (False, True):
        if is_loaded_again:
            page.reload()
        expect(page.locator(".head [data-connection]")).to_have_attribute("data-connection", "live")
        if view == "replay":
            expect(page.locator("[data-replay]")).to_be_visible()
        wait_for_next_frame(page)
        assert page.evaluate("scrollY") == 0


def test_a_new_name_appears_in_other_tabs(running: str, visit: Visit, server: Server) -> None:
    url = f"{server.url}/experiments/{running}/"
    visitor = visit()
    first, second, typing = visitor.open(url), visitor.open(url), visitor.open(url)
    for page in (first, second, typing):
        expect(page.locator(".head [data-connection]")).to_have_attribute("data-connection", "live")
        page.get_by_text("rename", exact=True).click()
    typing.get_by_label("Name of the experiment").fill("My own na")
    first.get_by_label("Name of the experiment").fill("Shop $& blog")
    first.get_by_role("button", name="Rename").click()
    for page in (second, typing):
        expect(page.locator("h1")).to_have_text("Shop $& blog")
        expect(page).to_have_title("Shop $& blog · Netmodes")
    expect(second.get_by_label("Name of the experiment")).to_have_value("Shop $& blog")
    expect(typing.get_by_label("Name of the experiment")).to_have_value("My own na")


def test_results_of_try_stay_after_a_reload_and_reach_other_tabs_and_reports(
    running: str, visit: Visit, server: Server
) -> None:
    url = f"{server.url}/experiments/{running}/#try"
    visitor = visit()
    first, second = visitor.open(url), visitor.open(url)
    for page in (first, second):
        expect(page.locator(".head [data-connection]")).to_have_attribute("data-connection", "live")
    clients_shown = first.locator("[data-slot=attempts] [data-slot=client]")
    earlier = clients_shown.all_inner_texts()
    first.get_by_role("button", name="Request over every path").click()
    until(lambda: clients_shown.all_inner_texts() not in ([], earlier))
    answered = first.locator("[data-slot=attempts] [data-slot=status]", has_text="200 OK")
    expect(answered.first).to_be_visible()
    count = answered.count()
    assert count >= 3
    clients = clients_shown.all_inner_texts()
    expect(second.locator("[data-slot=attempts] [data-slot=status]", has_text="200 OK")).to_have_count(count)
    first.reload()
    expect(answered).to_have_count(count)
    for page in (first, second):  # the second one may still show as many results of an earlier test
        expect(page.locator("[data-slot=attempts] [data-slot=client]")).to_have_text(clients)
        expect(page.locator("[data-slot=tried-at] time")).to_be_visible()
    report = server.api("reports", {"experiment": running})
    first.goto(f"{server.url}/reports/{report['id']}/#tried")
    expect(first.locator("#tried tbody tr", has_text="200 OK")).to_have_count(count)
    for client in clients:
        if ":" in client:
            expect(first.locator("#tried")).to_contain_text(client)


def test_results_of_try_replace_those_of_a_page_whose_clock_is_fast(running: str, visit: Visit, server: Server) -> None:
    url = f"{server.url}/experiments/{running}/#try"
    visitor = visit()
    fast, other = visitor.open(url), visitor.open(url)
    fast.clock.set_fixed_time(datetime.now(UTC) + timedelta(minutes=5))
    for page in (fast, other):
        expect(page.locator(".head [data-connection]")).to_have_attribute("data-connection", "live")
        page.get_by_role("button", name="Request over every path").click()
        expect(page.locator("[data-slot=try-state]")).to_have_text(re.compile(r"^\d+ paths tried$"))
    clients = other.locator("[data-slot=attempts] [data-slot=client]").all_inner_texts()
    assert any(":" in client for client in clients), "a client's port differs at each request"
    expect(fast.locator("[data-slot=attempts] [data-slot=client]")).to_have_text(clients)
