"""Launch, stop, relaunch and remove an experiment; and what the page shows after a failure."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.comparison import ExperimentPage
from tests.browser.keyboard import walk_to
from tests.browser.server import Server
from tests.browser.visitor import Show, Visit, Visitor
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.usefixtures("forgotten")]


def _containers(engine: PrivateEngine, identity: str) -> list[str]:
    """The experiment's containers on the engine, including stopped ones."""
    return sorted(engine.docker("ps", "-a", "--filter", f"name=^nm-{identity}", "--format", "{{.Names}}").split())


def _networks(engine: PrivateEngine, identity: str) -> list[str]:
    return engine.docker("network", "ls", "--filter", f"name=^nm-{identity}", "--format", "{{.Name}}").split()


def test_a_launch_ends_with_the_cleanup_check(
    visitor: Visitor,
    server: Server,
    engine_host: PrivateEngine,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    page = visitor.open(server.url)
    # Not 8080 while an experiment of an earlier test publishes that.
    port = page.locator("[name=free_port]").input_value()
    started = time.monotonic()
    page.get_by_role("button", name="Launch", exact=True).click()
    shown = ExperimentPage(page)
    shown.wait_for("running")
    record_testsuite_property("launch_s", round(time.monotonic() - started, 2))
    assert shown.columns() == ["machine", "host", "bridge"]
    for column in ("host", "bridge"):
        expect(shown.head(column)).to_contain_text("running")
    assert _containers(engine_host, shown.identity) == [f"nm-{shown.identity}-{arm}" for arm in ("bridge", "host")]
    until(lambda: int(shown.page.locator("[data-slot=total-counts]").inner_text().split()[0]) > 20)

    shown.open_panel("try")
    shown.open_panel("inspect")
    expect(shown.cell("listeners/tcp :80/", "bridge")).to_contain_text("nginx")
    started = time.monotonic()
    shown.press("Stop")
    shown.wait_for("stopped")
    record_testsuite_property("stop_s", round(time.monotonic() - started, 2))
    proof = page.locator("[data-slot=proof]")
    for sentence in ("0 of 2 containers left", "no network left", f"port {port} of the machine is free again"):
        expect(proof).to_contain_text(sentence)
    expect(proof.locator(".no")).to_have_count(0)
    assert _containers(engine_host, shown.identity) == []
    expect(page.locator("[data-connection]")).to_have_text("disconnected")
    _nothing_can_be_asked(page)

    page.reload()
    expect(page.locator("[data-slot=as-it-was]")).to_contain_text("This is the state before the stop")
    expect(page.locator("[data-connection]")).to_contain_text("not live")
    assert "nginx" in shown.text("listeners/tcp :80/", "bridge")
    assert shown.page.locator("svg.picture.wide .edge.veth").count() == 1
    expect(proof).to_contain_text("0 of 2 containers left")
    _nothing_can_be_asked(page)


def _nothing_can_be_asked(page: Page) -> None:
    for name in ("try", "inspect", "trace", "measure"):
        page.locator(f"[data-view={name}]").click()
        expect(page.locator(f"#{name}").get_by_text("No container is running.")).to_be_visible()
    expect(page.get_by_role("button", name="Request over every path")).to_be_hidden()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_hidden()


@pytest.mark.slow
def test_an_experiment_is_restarted_launched_again_and_removed(
    server: Server, show: Show, engine_host: PrivateEngine
) -> None:
    identity = server.launch(modes=["user-bridge", "none"])
    shown = show(identity)
    first = engine_host.inspect(f"nm-{identity}-none", "{{.Id}}")
    assert _networks(engine_host, identity) == [f"nm-{identity}"]

    shown.press("Restart")
    expect(shown.happened("Launch requested")).to_have_count(2)
    shown.wait_for("running")
    second = engine_host.inspect(f"nm-{identity}-none", "{{.Id}}")
    assert second != first

    shown.press("Stop")
    shown.wait_for("stopped")
    assert _containers(engine_host, identity) == _networks(engine_host, identity) == []

    shown.press("Launch again")
    shown.wait_for("running")
    shown.wait_until_live()
    assert engine_host.inspect(f"nm-{identity}-none", "{{.Id}}") not in {first, second}
    expect(shown.head("user-bridge")).to_contain_text("running")
    expect(shown.page.locator("[data-slot=proof-box]")).to_be_hidden()
    assert shown.text("identity/address/", "user-bridge") != ""

    shown.press("Stop")
    shown.wait_for("stopped")
    shown.press("Remove")
    shown.page.wait_for_url(f"{server.url}/")
    until(lambda: server.phase(identity) == "gone")
    shown.page.reload()
    expect(shown.page.locator("main")).not_to_contain_text(identity)
    assert shown.page.locator(f"a[href='/experiments/{identity}/']").count() == 0


def test_the_start_page_lists_what_runs_and_what_is_over(visitor: Visitor, server: Server) -> None:
    identity = server.launch(modes=["none"], title="Nobody's network")
    page = visitor.open(server.url)
    running = page.get_by_role("region", name="Running")
    expect(running.get_by_role("listitem")).to_contain_text("Nobody's network")
    server.api(f"experiments/{identity}/stop", {})
    until(lambda: server.phase(identity) == "stopped")
    page.reload()
    expect(running).to_contain_text("No experiment is running.")
    page.get_by_role("region", name="Past").get_by_role("link", name="Nobody's network").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nobody's network")


@pytest.mark.slow
def test_each_column_shows_refusal_or_exit(server: Server, show: Show, engine_host: PrivateEngine) -> None:
    holder = engine_host.docker("run", "-d", "-p", "8090:80", "nginx")
    try:
        identity = server.launch(
            arms=[
                {"mode": "none"},
                {"mode": "bridge", "publish": "8090:80"},
                {"mode": "bridge", "command": "sh -c 'echo no; exit 3'"},
                {"mode": "bridge", "command": "nobody-has-this"},
            ]
        )
        shown = show(identity)
    finally:
        engine_host.docker("rm", "-f", holder)
    expect(shown.head("none")).to_contain_text("running")
    taken = shown.detail("bridge").locator("[data-slot=error-box]")
    expect(taken).to_contain_text("Message from the engine:")
    expect(taken).to_contain_text("port is already allocated")
    expect(shown.head("bridge")).to_contain_text("refused")
    expect(shown.head("bridge-2")).to_contain_text("exited")
    expect(shown.detail("bridge-2").locator("[data-slot=exit]")).to_have_text("exit code 3")
    expect(shown.detail("bridge-2").locator("[data-slot=logs]")).to_have_text("no")
    last = shown.detail("bridge-3")
    expect(last).to_contain_text("nobody-has-this")
    expect(shown.happened("exit").first).to_be_visible()


@pytest.mark.slow
def test_a_container_removed_outside_netmodes_is_shown_as_such(
    server: Server, show: Show, engine_host: PrivateEngine
) -> None:
    identity = server.launch(modes=["none", "bridge"])
    shown = show(identity)
    engine_host.docker("rm", "-f", f"nm-{identity}-bridge")
    expect(shown.head("bridge")).to_contain_text("removed outside Netmodes")
    expect(shown.head("none")).to_contain_text("running")
    expect(shown.cell("identity/netns/", "bridge").locator(".absent")).to_be_attached()
    expect(shown.page.locator("svg.picture.wide .box.stack")).to_have_count(1)
    engine_host.docker("rm", "-f", f"nm-{identity}-none")
    shown.wait_for("failed")
    expect(shown.page.locator("[data-slot=notice]")).to_contain_text("No container is running:")
    expect(shown.page.locator(".actions").get_by_role("button", name="Launch again")).to_be_visible()


def test_a_killed_server_is_shown_and_the_page_recovers(
    server: Server, show: Show, visitor: Visitor, engine_host: PrivateEngine
) -> None:
    visitor.expect(r"WebSocket connection to .* failed|ERR_CONNECTION_REFUSED| 405 ")
    identity = server.launch(modes=["none", "bridge"])
    shown = show(identity)
    badge = shown.page.locator("[data-connection]")
    server.kill()
    expect(badge).to_have_text(re.compile(r"reconnecting since \d\d:\d\d:\d\d"))
    expect(shown.page.locator("[data-slot=stale]")).to_contain_text("this page may be out of date")
    # A change while no server runs:
    engine_host.docker("exec", "-d", f"nm-{identity}-bridge", "nc", "-l", "-p", "9000")
    engine_host.docker("rm", "-f", f"nm-{identity}-none")
    server.start()
    expect(badge).to_have_text("live")
    expect(shown.page.locator("[data-slot=stale]")).to_be_hidden()
    expect(shown.cell("listeners/tcp :9000/", "bridge")).to_contain_text("nc")
    expect(shown.head("none")).to_contain_text("removed outside Netmodes")
    expect(shown.head("bridge")).to_contain_text("running")
    assert _containers(engine_host, identity) == [f"nm-{identity}-bridge"]
    # The page is live, not only drawn again.
    engine_host.docker("exec", "-d", f"nm-{identity}-bridge", "nc", "-l", "-p", "9001")
    expect(shown.cell("listeners/tcp :9001/", "bridge")).to_contain_text("nc")
    shown.press("Stop")
    shown.wait_for("stopped")
    assert _containers(engine_host, identity) == []


def test_the_keyboard_alone_launches_and_stops(visitor: Visitor, server: Server) -> None:
    page = visitor.open(server.url)
    page.evaluate("document.activeElement.blur(); getSelection().removeAllRanges()")
    assert walk_to(page, "Skip to content") == ["Skip to content"]
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    stops = walk_to(page, "Launch")
    assert "Sign out" not in stops
    assert "Image" in stops
    page.keyboard.press("Enter")
    shown = ExperimentPage(page)
    shown.wait_for("running")
    shown.wait_until_live()
    walk_to(page, "Stop")
    page.keyboard.press("Space")
    shown.wait_for("stopped")


def test_without_javascript_an_experiment_is_complete_and_can_be_stopped(
    server: Server, visit: Visit, engine_host: PrivateEngine
) -> None:
    page = visit(java_script_enabled=False).open(server.url)
    page.get_by_text("More options").click()
    page.locator("#mode-host").uncheck()
    page.locator("#arms-0-mode").select_option("none", force=True)
    page.get_by_role("button", name="Launch", exact=True).click()
    shown = ExperimentPage(page)
    until(lambda: server.phase(shown.identity) == "running")
    page.reload()
    assert shown.columns() == ["machine", "bridge", "none"]
    expect(shown.row("identity/netns/")).to_be_visible()
    expect(page.locator("svg.picture.wide")).to_be_visible()
    expect(page.locator("noscript .badge")).to_be_visible()
    expect(shown.happened("Launch requested")).to_be_visible()
    same = page.locator("tr[data-relation=same]").first
    expect(same).to_be_hidden()
    page.get_by_label("Differences only").uncheck()
    expect(same).to_be_visible()
    expect(page.locator(".needs-js:visible")).to_have_count(0)

    shown.open_panel("try")
    page.get_by_role("button", name="Request over every path").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Requests over every path")
    expect(page.locator(".attempt", has_text="The machine to bridge's address")).to_contain_text("200 OK")
    expect(page.locator(".attempt.off", has_text="none has loopback only")).to_have_count(1)
    page.get_by_role("link", name="Back to the experiment").click()
    shown.open_panel("inspect")
    page.get_by_label("Column", exact=True).select_option("bridge")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("body")).to_contain_text("LOOPBACK,UP")
    page.go_back()

    shown.press("Stop")
    until(lambda: server.phase(shown.identity) == "stopped")
    page.reload()
    expect(page.locator("[data-slot=proof]")).to_contain_text("0 of 2 containers left")
    assert _containers(engine_host, shown.identity) == []
