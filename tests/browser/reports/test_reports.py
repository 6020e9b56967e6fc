"""Reports in a browser: saved, imported, read, shared and exported as a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.core.experiments.messages import ArmStatus
from dashboard.core.reports.model import ClaimResult, ClaimVerdict, canonical, frame
from tests.browser.axe import violations, violations_of_another_state
from tests.browser.server import Server
from tests.browser.visitor import Show, Visit, Visitor, wait_for_script
from tests.core.machine_scenes import two_machines
from tests.core.report_builders import make_content, make_experiment
from tests.core.scenes import make_scene

pytestmark = [pytest.mark.browser, pytest.mark.engine]
CLAIM = ClaimResult("dns", "Names resolve.", "docs/modes.md", ClaimVerdict.DIFFERS, ("127.0.0.11",), "It differs.")
NOTES = "# Seen\n\n- on **one** machine\n\n| a | b |\n|---|---|\n| 1 | 2 |"


def make_file(title: str) -> bytes:
    """A report with everything that a page can show. Its last entry ends an arm."""
    columns, _states = make_scene(("host", "bridge", "none"))
    ended = (replace(columns[-1], status=ArmStatus.EXITED, exit_code=3, logs=("no",)),)
    content = make_content(title, experiment=make_experiment(columns=ended), claims=(CLAIM,), notes=NOTES)
    return frame(canonical(content))


def import_file(page: Page, server: Server, file: bytes) -> None:
    """Imports a report through the form, and shows it."""
    page.goto(f"{server.url}/reports/")
    uploaded = {"name": "report.json", "mimeType": "application/json", "buffer": file}
    page.get_by_label("Report file (JSON)").set_input_files(uploaded)  # type: ignore[arg-type]  # the keys are theirs
    page.get_by_role("button", name="Import", exact=True).click()


@pytest.fixture(scope="module")
def imported(browser: Browser, server: Server) -> tuple[str, str]:
    """The addresses of two reports imported through the form."""
    context = browser.new_context()
    context.add_cookies([{"name": n, "value": v, "url": server.url} for n, v in server.cookies().items()])
    page = context.new_page()
    found = []
    for title in ("Before", "After"):
        import_file(page, server, make_file(title))
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        found.append(page.url)
    context.close()
    return found[0], found[1]


def status(page: Page, column: str) -> str:
    """The status at the head of a column."""
    return page.locator(f"th[data-column={column}] [data-slot=status]").inner_text()


def test_an_experiment_is_saved_with_a_title_and_found_in_the_list(
    server: Server, show: Show, visitor: Visitor
) -> None:
    shown = show(server.launch(modes=["host", "bridge"]))
    shown.page.get_by_role("link", name="Report", exact=True).click()
    shown.page.get_by_label("Title").fill("My first report")
    shown.page.get_by_label("Tags").fill("lab, mine")
    shown.page.get_by_label("Notes").fill("It **works**.")
    shown.page.get_by_role("button", name="Save report").click()
    expect(shown.page.get_by_role("heading", level=1)).to_have_text("My first report")
    expect(shown.page.locator("#summary")).to_contain_text("host uses this machine's network namespace")
    expect(shown.page.locator(".prose strong")).to_have_text("works")
    shown.page.get_by_label("Add a remark").fill("A remark")
    shown.page.get_by_role("button", name="Add", exact=True).click()
    expect(shown.page.locator(".remarks li")).to_contain_text("A remark")
    page = visitor.open(f"{server.url}/reports/?tag=mine")
    expect(page.locator(".reports .title")).to_have_text(["My first report"])
    server.forget_everything()


def test_the_pages_of_reports_are_accessible(visitor: Visitor, server: Server, imported: tuple[str, str]) -> None:
    one, other = imported
    page = visitor.open(f"{server.url}/reports/")
    assert violations(page) == []
    page.goto(one)
    assert violations(page) == []
    page.goto(f"{one}share/")
    page.get_by_role("button", name="Create link").click()
    expect(page.locator(".new-link")).to_be_visible()
    assert violations(page) == []
    numbers = "&".join(f"report={url.rstrip('/').rpartition('/')[2]}" for url in (one, other))
    page.goto(f"{server.url}/reports/compare/?{numbers}")
    assert violations(page) == []


def test_an_import_of_a_known_report_is_cancelled_or_offers_the_first(
    visitor: Visitor, server: Server, imported: tuple[str, str]
) -> None:
    page = visitor.open(f"{server.url}/reports/")
    wait_for_script(page)
    file = {"name": "again.json", "mimeType": "application/json", "buffer": make_file("Before")}
    page.get_by_label("Report file (JSON)").set_input_files(file)  # type: ignore[arg-type]  # the keys are theirs
    page.route("**/reports/import/", lambda _route: None)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("[data-transfer]")).to_contain_text("again.json")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-transfer]")).to_contain_text("Cancelled.")
    page.unroute("**/reports/import/")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("You already have this report, imported on")).to_be_visible()
    expect(page.get_by_role("link", name="Open Before")).to_have_attribute("href", imported[0].removeprefix(server.url))
    assert violations_of_another_state(page) == []


def test_an_export_shows_what_is_done_and_is_cancelled(visitor: Visitor, imported: tuple[str, str]) -> None:
    page = visitor.open(imported[0])
    wait_for_script(page)
    page.route("**/export.html", lambda _route: None)
    page.get_by_role("link", name="HTML").click()
    expect(page.locator("[data-transfer]")).to_contain_text("Preparing HTML…")
    assert violations_of_another_state(page) == []
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-transfer]")).to_contain_text("Cancelled.")
    with page.expect_download() as download:
        page.get_by_role("link", name="Markdown").click()
    assert download.value.suggested_filename.startswith("before-")
    expect(page.locator("[data-transfer]")).to_contain_text("Saved before-")


def test_a_deleted_report_is_restored_from_the_list_of_deleted_reports(
    visitor: Visitor, server: Server, imported: tuple[str, str]
) -> None:
    page = visitor.open(imported[1])
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("link", name="Deleted reports").first.click()
    page.locator("summary", has_text="Delete permanently…").first.click()
    expect(page.get_by_text("cannot be restored").first).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Restore After").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("After")


def test_a_link_opens_without_sign_in_until_it_is_revoked(
    visitor: Visitor, visit: Visit, imported: tuple[str, str]
) -> None:
    page = visitor.open(f"{imported[1]}share/")
    page.get_by_role("button", name="Create link").click()
    link = page.locator(".new-link code").inner_text()
    stranger = visit(signed_in=False)
    shown = stranger.open(link)
    expect(shown.get_by_role("heading", level=1)).to_have_text("After")
    assert shown.evaluate("() => { try { return document.cookie; } catch { return 'no cookies here'; } }") in {
        "",
        "no cookies here",
    }
    page.goto(f"{imported[1]}share/")
    expect(page.locator(".links tbody tr").first).to_contain_text("1 view")
    page.get_by_role("button", name="Revoke").first.click()
    expect(page.locator(".links tbody tr").first).to_contain_text("revoked")
    stranger.expect(r"Failed to load resource: .* 404 ")
    shown.reload()
    expect(shown.get_by_role("heading", level=1)).to_have_text("This link is not valid")


def test_the_exported_file_opens_and_replays_without_a_network(
    visitor: Visitor, visit: Visit, imported: tuple[str, str], tmp_path: Path
) -> None:
    page = visitor.open(imported[0])
    with page.expect_download() as downloading:
        page.get_by_role("link", name="HTML", exact=True).click()
    file = tmp_path / "reports/report.html"
    downloading.value.save_as(file)

    reader = visit(signed_in=False, java_script_enabled=False, offline=True)
    still = reader.open(file.as_uri())
    for part in (
        "In short",
        "Side by side",
        "Medians of blocks over time (tcp-rr)",
        "Claims",
        "Timeline",
        "Environment",
    ):
        expect(still.get_by_role("heading", name=part, exact=True)).to_be_visible()
    expect(still.get_by_role("button", name="Replay")).to_be_hidden()

    offline = visit(signed_in=False, offline=True)
    asked: list[str] = []
    offline.context.on("request", lambda request: asked.append(request.url))
    shown = offline.open(file.as_uri())
    assert violations(shown) == []
    assert status(shown, "none") == "exited"
    shown.get_by_role("button", name="Replay").click()
    expect(shown.locator("[data-replay-range]")).to_be_focused()
    shown.keyboard.press("Home")
    expect(shown.locator("[data-row='identity/netns/']")).to_have_count(0)
    shown.keyboard.press("ArrowRight")
    expect(shown.locator("[data-row='identity/netns/']")).to_be_visible()
    expect(shown.locator("th[data-column=none] [data-slot=status]")).to_have_text("running")
    shown.keyboard.press("End")
    expect(shown.locator("th[data-column=none] [data-slot=status]")).to_have_text("exited")
    assert violations_of_another_state(shown) == []
    assert asked == [file.as_uri()]


def test_on_a_phone_the_sections_of_several_machines_are_folded_until_they_are_opened(
    server: Server, visit: Visit
) -> None:
    columns, states = two_machines()
    experiment = make_experiment(("host", "bridge"), columns=columns, states=states)
    page = visit(viewport={"width": 390, "height": 800}).open(server.url)
    import_file(page, server, frame(canonical(make_content("Two machines", experiment=experiment, measurements=()))))
    rows = page.locator(".comparison tr.row:visible")
    section = page.get_by_role("button", name="Engines and kernels")
    expect(section).to_have_attribute("aria-expanded", "false")
    expect(rows).to_have_count(0)
    expect(page.locator(".comparison tbody:visible [data-slot=counts]").first).to_contain_text("differ")
    section.click()
    expect(rows.first).to_contain_text("Docker Engine 26.1.5")
    section.click()
    expect(rows).to_have_count(0)
    page.get_by_label("Filter rows").fill("docker engine")
    expect(rows.first).to_contain_text("Docker Engine 26.1.5")
    page.get_by_label("Filter rows").fill("")
    expect(rows).to_have_count(0)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.reload()
    expect(section).to_have_attribute("aria-expanded", "true")
    expect(rows.first).to_contain_text("Docker Engine 26.1.5")
