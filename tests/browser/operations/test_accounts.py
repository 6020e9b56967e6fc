"""Two instructors and a reader with accounts of their own, in three browsers: what each sees and may do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboard.core.operations.roles import RULES, Action, Role
from tests.browser.server import Server, running_server
from tests.browser.visitor import Visit, Visitor
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.browser, pytest.mark.engine]
FORBIDDEN = r"Failed to load resource: .* 403 "
NARROW = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def shared(
    engine_host: PrivateEngine, kept: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, str]]:
    """A server of its own, because every page shows creators once it has a second account; and the owner's link."""
    with running_server(kept, tmp_path_factory.mktemp("shared-server"), engine_host) as (running, link):
        yield running, link


def launch(page: Page, url: str, title: str) -> str:
    """Launches an experiment with the form of the start page and returns its URL. Not in host mode: only one experiment
    at a time can listen on the machine's port."""
    page.goto(url)
    options = page.locator("details", has_text="More options").first
    if options.get_attribute("open") is None:
        options.locator("summary").first.click()
    page.get_by_label("Name", exact=False).first.fill(title)
    page.locator("#mode-host").uncheck()
    page.locator("#mode-none").check()
    page.get_by_role("button", name="Launch with these options").click()
    page.wait_for_url(re.compile(r"/experiments/\w+/"))
    return page.url.partition("#")[0]


def is_inside(page: Page) -> bool:
    """Whether nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def invite(page: Page, url: str, name: str, role: Role) -> str:
    """Invites an account and returns the link that the page shows."""
    page.goto(f"{url}/accounts/")
    page.get_by_label("Name", exact=True).fill(name)
    page.locator("form[action='/accounts/'] select[name=role]").select_option(str(role))
    page.get_by_role("button", name="Create sign-in link").click()
    card = page.locator(".new-link")
    expect(card).to_contain_text(f"Sign-in link of {name}")
    link = card.locator("code").inner_text()
    page.goto(f"{url}/accounts/")
    expect(card).to_have_count(0)
    return link


def test_two_instructors_and_a_reader_share_a_server(shared: tuple[Server, str], visit: Visit) -> None:
    server, link = shared
    url = server.url
    boss = visit(signed_in=False)
    office = boss.open(link)
    people: dict[str, Visitor] = {}
    pages: dict[str, Page] = {}
    for name, role in (("ada", Role.INSTRUCTOR), ("eve", Role.INSTRUCTOR), ("rita", Role.READER)):
        invitation = invite(office, url, name, role)
        people[name] = visit(signed_in=False)
        pages[name] = people[name].open(invitation)
        expect(pages[name].get_by_role("heading", level=1)).to_have_text("Host or bridge for my service?")
    ada, eve, rita = pages["ada"], pages["eve"], pages["rita"]

    # Each instructor launches; all see both, with their creators.
    first, second = launch(ada, f"{url}/", "Ada's service"), launch(eve, f"{url}/", "Eve's service")
    for page in (office, ada, eve, rita):
        page.goto(f"{url}/")
        listed = page.locator(".experiments")
        expect(listed.first).to_contain_text("by ada")
        expect(listed.first).to_contain_text("by eve")
    ada.get_by_role("link", name="mine", exact=True).click()
    expect(ada.locator(".experiments").first).not_to_contain_text("by eve")

    # Instructors can change only their own experiments.
    eve.goto(first)
    expect(eve.locator("main")).to_have_attribute("data-foreign", "")
    expect(eve.get_by_role("button", name="Stop", exact=True)).to_be_hidden()
    people["eve"].expect(FORBIDDEN)
    assert command(eve, f"{first}stop/") == 403
    ada.goto(first)
    ada.get_by_role("button", name="Stop", exact=True).click()
    expect(ada.locator("[data-slot=phase]")).to_have_text(re.compile("stopped", re.IGNORECASE))

    # Sessions belong to their instructor; the owner sees all.
    ada.goto(f"{url}/sessions/new/")
    ada.get_by_label("Title").fill("Monday")
    ada.get_by_role("button", name="Create session").click()
    ada.wait_for_url(re.compile(r"/sessions/\w+/console/"))
    console = ada.url.partition("#")[0]
    people["eve"].expect(r"Failed to load resource: .* 404 ")
    people["rita"].expect(r"Failed to load resource: .* (403|404) ")
    for page in (eve, rita):
        assert page.goto(console).status == 404  # type: ignore[union-attr]
        page.goto(f"{url}/sessions/")
        expect(page.locator("main")).not_to_contain_text("Monday")
    assert office.goto(console).status == 200  # type: ignore[union-attr]

    # A reader can read, and is offered no commands.
    rita.goto(f"{url}/")
    expect(rita.locator("main")).to_contain_text("Your account has the role “reader”")
    assert rita.locator("main form[method=post]:visible").count() == 0
    rita.goto(second)
    expect(rita.get_by_role("heading", level=1)).to_have_text("Eve's service")
    assert rita.locator("main form[method=post]:visible").count() == 0
    for path in ("/sessions/new/", "/accounts/", "/audit/"):
        assert rita.goto(url + path).status == 403  # type: ignore[union-attr]
    rita.goto(f"{url}/reports/")
    assert command(rita, f"{second}stop/") == 403
    assert command(rita, f"{url}/claims/run/") == 403
    people["ada"].expect(FORBIDDEN)
    assert ada.goto(f"{url}/accounts/").status == 403  # type: ignore[union-attr]

    # The table of the page is that of the rules; the audit trail names all that was done.
    office.goto(f"{url}/accounts/")
    for rule in RULES.values():
        row = office.locator(".roles tr", has_text=rule.text)
        expect(row.locator("td")).to_have_text(["yes", str(rule.instructor), str(rule.reader)])
    trail = exported(office, f"{url}/audit/export.json")
    key = first.rstrip("/").rsplit("/", 1)[-1]
    assert {
        ("owner", "invite account", "ada", "done"),
        ("ada", "sign in", "link", "done"),
        ("rita", "sign in", "link", "done"),
        ("ada", "launch experiment", key, "done"),
        ("eve", "stop experiment", key, "refused"),
        ("ada", "stop experiment", key, "done"),
        ("ada", "create session", console.split("/")[-3], "done"),
        ("rita", "run claims", "", "refused"),
    } <= trail
    assert {name for name, action, _, _ in trail if action == "sign in"} == {"owner", "ada", "eve", "rita"}

    # A deactivated account is signed out at once; its experiments stay.
    office.goto(f"{url}/accounts/")
    office.get_by_role("button", name="Deactivate eve").click()
    people["eve"].expect(r"Failed to load resource: .* 401 ")
    people["eve"].expect(r"WebSocket connection .* failed")
    assert eve.goto(f"{url}/").status == 401  # type: ignore[union-attr]
    office.goto(f"{url}/")
    expect(office.locator(".experiments").first).to_contain_text("by eve")
    assert RULES[Action.MANAGE].instructor == "no"


def command(page: Page, url: str) -> int:
    """The status of a command that the page sends with its own token, as a form would."""
    script = """url => fetch(url, {method: "POST", redirect: "manual", headers: {"X-CSRFToken":
        document.cookie.split("; ").find((one) => one.includes("csrftoken="))?.split("=")[1] ?? ""}})
        .then((answer) => answer.status)"""
    return int(page.evaluate(script, url))


def exported(page: Page, url: str) -> set[tuple[str, str, str, str]]:
    """The entries of the audit trail."""
    entries = json.loads(page.evaluate("url => fetch(url).then((answer) => answer.text())", url))["entries"]
    return {(one["account"], one["action"], one["object"], one["outcome"]) for one in entries}


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_the_pages_fit_a_phone(shared: tuple[Server, str], visit: Visit, scheme: str) -> None:
    server, _link = shared
    visitor = visit(signed_in=False, viewport=NARROW, color_scheme=scheme)
    page = visitor.open(server.another_link())
    for path in ("/accounts/", "/account/", "/audit/"):
        page.goto(server.url + path)
        assert is_inside(page), path
