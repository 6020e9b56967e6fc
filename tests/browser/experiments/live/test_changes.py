"""A running experiment: the page follows changes, and links to a past state."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.comparison import ExperimentPage
from tests.browser.experiments.live.conftest import inside
from tests.browser.visitor import Show, Visit, Visitor
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def test_a_new_listener_appears_highlighted_and_disappears(
    running: str, shown: ExperimentPage, engine_host: PrivateEngine
) -> None:
    page = shown
    page.page.evaluate("window.sameDocument = true")
    row = page.row("listeners/tcp :9000/")
    expect(row).to_have_count(0)
    engine_host.docker("exec", "-d", f"nm-{running}-host", "nc", "-l", "-p", "9000")
    expect(page.cell("listeners/tcp :9000/", "host")).to_contain_text("nc")
    expect(page.cell("listeners/tcp :9000/", "machine")).to_contain_text("nc")
    for column in ("host", "machine"):
        expect(page.cell("listeners/tcp :9000/", column)).to_have_class("hit")
    # On a busy machine the line is written before the owner of the socket has been found.
    line = page.page.locator(
        ".log li", has_text=re.compile(r"(nc|a process) opens :9000 on this machine \(shared by host\)")
    )
    expect(line.locator("[data-slot=cause]")).to_contain_text("listener tcp :9000")
    inside(engine_host, running, "host", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9000")
    expect(row).to_have_count(0)
    expect(page.happened(":9000")).to_have_count(2)
    assert page.page.evaluate("window.sameDocument")


def test_a_listener_inside_the_bridge_container_is_its_own(
    running: str, shown: ExperimentPage, engine_host: PrivateEngine
) -> None:
    page = shown
    engine_host.docker("exec", "-d", f"nm-{running}-bridge", "nc", "-l", "-p", "9001")
    expect(page.cell("listeners/tcp :9001/", "bridge")).to_contain_text("nc")
    for column in ("host", "machine"):
        expect(page.cell("listeners/tcp :9001/", column).locator(".absent")).to_be_visible()
    inside(engine_host, running, "bridge", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9001")
    expect(page.row("listeners/tcp :9001/")).to_have_count(0)


def test_an_address_added_to_a_container_appears_and_goes(
    running: str, shown: ExperimentPage, engine_host: PrivateEngine
) -> None:
    page = shown
    cell = page.cell("interfaces/eth0/addresses", "bridge")
    inside(engine_host, running, "bridge", "ip", "addr", "add", "203.0.113.7/24", "dev", "eth0")
    expect(cell).to_contain_text("203.0.113.7/24")
    expect(cell).to_have_class("hit")
    expect(page.cell("interfaces/eth0/addresses", "host")).not_to_contain_text("203.0.113.7")
    expect(page.happened("203.0.113.7").first).to_contain_text("bridge")
    inside(engine_host, running, "bridge", "ip", "addr", "del", "203.0.113.7/24", "dev", "eth0")
    expect(cell).not_to_contain_text("203.0.113.7/24")


@pytest.mark.slow
def test_two_browsers_show_the_same(running: str, show: Show, visit: Visit, engine_host: PrivateEngine) -> None:
    one, other = show(running), show(running, who=visit())
    engine_host.docker("exec", "-d", f"nm-{running}-bridge", "nc", "-l", "-p", "9002")
    for page in (one, other):
        expect(page.cell("listeners/tcp :9002/", "bridge")).to_contain_text("nc")
    inside(engine_host, running, "bridge", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9002")
    for page in (one, other):
        expect(page.row("listeners/tcp :9002/")).to_have_count(0)

    def seen(page: ExperimentPage) -> list[str]:
        texts: list[str] = page.page.locator("tr[data-row], .log li").all_text_contents()
        return texts

    until(lambda: seen(one) == seen(other))


def test_server_and_browser_draw_the_same(running: str, show: Show, visit: Visit) -> None:
    live = show(running)
    still = show(running, who=visit(java_script_enabled=False), live=False)

    def seen(page: ExperimentPage) -> list[str]:
        texts = page.page.locator("tr[data-row] > *, .log li, svg.picture:visible text").all_text_contents()
        return [" ".join(text.split()) for text in texts]

    def same() -> bool:
        # The kernel may still be assigning link-local addresses when the first page is loaded.
        still.page.reload()
        return seen(still) == seen(live)

    until(same)


@pytest.mark.slow
def test_a_dropped_connection_reconnects_and_catches_up(
    running: str, visitor: Visitor, show: Show, engine_host: PrivateEngine
) -> None:
    lines: list[WebSocketRoute] = []

    def connect(route: WebSocketRoute) -> None:
        lines.append(route)
        route.connect_to_server()

    visitor.context.route_web_socket("**/ws/**", connect)
    page = show(running)
    badge = page.page.locator("[data-connection]")
    page.page.evaluate(
        """() => {
            const badge = document.querySelector("[data-connection]");
            window.seen = [];
            new MutationObserver(() => window.seen.push(badge.textContent.trim()))
                .observe(badge, {subtree: true, childList: true, characterData: true});
        }"""
    )
    engine_host.docker("exec", "-d", f"nm-{running}-bridge", "nc", "-l", "-p", "9003")
    lines[0].close(code=1011, reason="cut")
    expect(page.cell("listeners/tcp :9003/", "bridge")).to_contain_text("nc")
    expect(badge).to_have_text("live")
    assert any(text.startswith("reconnecting since ") for text in page.page.evaluate("window.seen"))
    assert len(lines) == 2
    inside(engine_host, running, "bridge", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9003")
    expect(page.row("listeners/tcp :9003/")).to_have_count(0)


@pytest.mark.slow
def test_a_timeline_item_links_to_the_state_at_that_entry(running: str, show: Show) -> None:
    page = show(running)
    page.happened("Launch requested").first.locator("a").click()
    expect(page.page.locator("[data-connection]")).to_contain_text("not live")
    expect(page.page.locator("[data-slot=as-it-was]")).to_contain_text("State at")
    expect(page.head("bridge")).to_contain_text("waiting")
    page.page.get_by_role("link", name="Show the current state").click()
    page.wait_until_live()
    expect(page.head("bridge")).to_contain_text("running")
