"""Two hundred XSS strings in every text of a report do not run: on its page, in lists, when shared, in its file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.server import ROOT, Server
from tests.browser.visitor import Visit, Visitor
from tests.support.xss import STRINGS

pytestmark = [pytest.mark.browser, pytest.mark.engine]
#: What ran, what would run later or on a click, and whether the strings are there at all.
SCAN = r"""() => {
    const bad = window.canary === undefined ? [] : ["it ran"];
    for (const one of document.querySelectorAll("*")) {
        for (const {name, value} of one.attributes) {
            const runs = /^(href|src|action|formaction|xlink:href|data|background|srcdoc)$/.test(name);
            if (name.startsWith("on") || (runs && /^[\s\x00-\x1f]*(javascript|vbscript|data:text)/i.test(value))) {
                bad.push(`${one.localName} ${name}=${value.slice(0, 60)}`);
            }
        }
        const kind = one.getAttribute("type") ?? "";
        if (one.localName === "script" && !/json|plain/.test(kind) && one.textContent.includes("canary")) {
            bad.push(one.outerHTML.slice(0, 80));
        }
        if (/^(iframe|object|embed|base|marquee|portal|frameset|applet)$/.test(one.localName)) bad.push(one.localName);
    }
    if (!document.body.textContent.includes("canary")) bad.push("the strings are not on this page");
    return bad;
}"""

UNDO = """() => {
    const form = document.querySelector("form[action$='undelete/']");
    return fetch(form.action, {method: "POST", body: new FormData(form), redirect: "manual"}).then(one => one.type);
}"""


@pytest.fixture(scope="module")
def hostile(server: Server) -> str:
    """The id of a report that every import refuses, written to the server's database by another process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile_reports"],
        cwd=ROOT,
        env={**os.environ, "NETMODES_DATA_DIR": str(server.data_dir)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def look(page: Page) -> list[str]:
    """The problems of a loaded page."""
    expect(page.locator("h1").first).to_be_attached()
    page.wait_for_load_state("load")
    found: list[str] = page.evaluate(SCAN)
    return [f"{page.url}: {one}" for one in found]


def test_no_script_of_a_hostile_report_runs_on_any_page(visitor: Visitor, server: Server, hostile: str) -> None:
    page = visitor.open(f"{server.url}/reports/")
    found = look(page)
    page.goto(f"{server.url}/reports/{hostile}/share/")
    found += look(page)
    page.goto(f"{server.url}/reports/{hostile}/?lines=all")
    found += look(page)
    visitor.expect(r"Failed to load resource: .* 400 ")
    page.evaluate("document.querySelector('.remark-form textarea').removeAttribute('maxlength')")
    page.get_by_label("Add a remark").fill(" ".join(STRINGS) + "x" * 20_000)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#remark-problem")).to_be_visible()
    found += look(page)
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    found += look(page)
    assert page.evaluate(UNDO) == "opaqueredirect"
    assert found == []


def test_no_script_of_a_hostile_report_runs_behind_a_link_or_in_its_file(
    visitor: Visitor, visit: Visit, server: Server, hostile: str, tmp_path: Path
) -> None:
    page = visitor.open(f"{server.url}/reports/{hostile}/share/")
    page.get_by_role("button", name="Create link").click()
    link = page.locator(".new-link code").inner_text()
    assert re.fullmatch(re.escape(server.url) + r"/r/[\w-]{22}/", link)
    with page.expect_download() as downloading:
        page.evaluate("address => { location.href = address; }", f"{server.url}/reports/{hostile}/export.html")
    downloading.value.save_as(tmp_path / "reports/report.html")
    stranger = visit(signed_in=False)
    asked: list[Any] = []
    stranger.context.on("request", lambda request: asked.append(request.url))
    shown = stranger.open(link)
    found = look(shown)
    file = stranger.open((tmp_path / "reports/report.html").as_uri())
    found += look(file)
    file.get_by_role("button", name="Replay").click()
    expect(file.locator("[data-replay-range]")).to_be_focused()
    for key in ("Home", "ArrowRight", "ArrowRight", "End"):
        file.keyboard.press(key)
    expect(file.locator("[data-slot=replay-count]")).to_contain_text("10 of 10")
    found += look(file)
    assert found == []
    assert stranger.context.cookies() == []
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == [link]
