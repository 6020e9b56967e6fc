"""A terminal in a browser: typing, output, reconnection, leaving it with the keyboard, recording.

The gate runs the test without its longest parts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.axe import violations
from tests.browser.server import Server
from tests.browser.session_pages import ParticipantPage, join, new_session
from tests.browser.typed import NOT_YET, is_live, rows, run_line, type_line
from tests.browser.visitor import Visit, Visitor
from tests.browser.workshop import StepPage
from tests.browser.workshops.test_workshop import finish, predict
from tests.support.polling import until
from tests.support.screens import READY, READY_THEN_SLEEP

pytestmark = [pytest.mark.browser, pytest.mark.engine]

#: Keeps each state that the terminal shows, also one that is over before it can be read.
WATCH_STATE = """() => {
    const badge = document.querySelector("[data-slot=terminal-state]");
    window.seen = [];
    const keep = () => seen.push(badge.dataset.connection);
    new MutationObserver(keep).observe(badge, {attributeFilter: ["data-connection"]});
}"""

#: Pastes this many lines of eleven characters.
PASTE = """count => {
    const data = new DataTransfer();
    data.setData("text/plain", "0123456789\\n".repeat(count));
    const target = document.querySelector(".xterm-helper-textarea");
    target.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
}"""


def walk(step: StepPage, *slugs: str) -> None:
    """Types the commands of workshop steps; the checks read the kernel."""
    for slug in slugs:
        assert step.slug == slug
        is_live(step.page)
        predict(step)
        for line in step.page.locator(".command code").all_text_contents():
            if not line.startswith("docker pull"):
                until(lambda line=line: NOT_YET.search(run_line(step.page, line)) is None, 20)  # type: ignore[misc]
        if not step.page.locator("[data-auto]").count() or slug == "prepare":
            step.check()
        finish(step)


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["short", "whole"])
def test_a_terminal_works_from_the_lobby_to_the_recording(
    visitor: Visitor, visit: Visit, server: Server, *, whole: bool
) -> None:
    console = new_session(
        visitor, server, "By hand", hosts="person", max_participants="2", terminal="on", record_terminal="on"
    )
    ada = join(visit, console.link, "Ada", viewport={"width": 1440, "height": 900})
    page = ada.page
    expect(page.locator("[data-slot=terminal-told]")).to_contain_text("Its output is recorded")
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    sockets: list[WebSocketRoute] = []

    def between(route: WebSocketRoute) -> None:
        sockets.append(route)
        route.connect_to_server()

    page.route_web_socket(re.compile("/terminal/"), between)
    ada.who.expect("task queue exceeded")  # xterm.js, where the machine is slow
    console.pace_gated("stop")
    step = ada.at("prepare")  # the first step that is opened requests the host
    ada.wait_for_host()
    ada.live()
    expect(page.get_by_text("This terminal is recorded:")).to_be_visible()
    assert not [url for url in loaded if "xterm" in url], "nothing is loaded before it is opened"
    page.get_by_role("button", name="Open the terminal").click()
    is_live(page)
    expect(rows(page)).to_contain_text("exit ends the shell.")

    # Commands are typed and their output is read on the screen; the terminal stays open from step to step.
    walk(step, "prepare")
    if whole:
        walk(step, "launch")
        many_things_are_typed_and_read(ada)

    # A program is interrupted; the connection is lost meanwhile, but nothing on the screen is.
    type_line(page, f"clear; {READY_THEN_SLEEP}; echo slept")
    expect(rows(page)).to_contain_text(READY)
    page.keyboard.press("Control+c")
    type_line(page, "clear; echo kept-$((20+3))")
    expect(rows(page)).to_contain_text("kept-23")
    page.evaluate(WATCH_STATE)
    sockets[-1].close(code=4000)
    until(lambda: "lost" in page.evaluate("seen"))  # for less than half a second
    is_live(page)
    type_line(page, "echo again-$((20+4))")
    expect(rows(page)).to_contain_text(re.compile("kept-23.*again-24", re.DOTALL))
    assert rows(page).inner_text().count("kept-23") == 1
    if whole:
        the_page_is_left_and_two_windows_share_the_terminal(ada)

    # The keyboard leaves the terminal, which is announced to screen readers.
    page.locator(".xterm-helper-textarea").focus()
    page.keyboard.press("Tab")
    expect(page.locator(".xterm-helper-textarea")).to_be_focused()
    page.keyboard.press("F6")
    expect(page.locator("#terminal-keys")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".xterm-helper-textarea")).to_be_focused()
    page.keyboard.press("Shift+F6")
    expect(page.get_by_label("Screen reader mode")).to_be_focused()
    page.get_by_label("Screen reader mode").check()
    expect(page.locator(".xterm-accessibility-tree")).to_be_attached()
    assert violations(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})

    # The shell ends, and another one starts.
    type_line(page, "exit")
    expect(page.locator("[data-slot=terminal-problem]")).to_have_text("The shell has ended.")
    page.locator(".xterm-helper-textarea").focus()
    page.keyboard.press("Enter")
    is_live(page)
    expect(page.locator("[data-slot=terminal-problem]")).to_be_hidden()
    type_line(page, "clear; echo new-$((20+6))")
    expect(rows(page)).to_contain_text("new-26")

    # The instructor reads what was recorded.
    console.row("Ada").get_by_role("link").click()
    console.page.get_by_role("link", name="Terminal recording").click()
    console.page.get_by_role("link", name="2. Launch").click()
    typed = "docker run --rm -d --name web --network host nginx" if whole else "echo kept-$((20+3))"
    expect(console.page.locator("main")).to_contain_text(typed)
    assert violations(console.page) == []
    console.page.goto(f"{ada.home}console/")

    # The terminal ends with the session.
    ada.who.expect("WebSocket|404|403|401")
    console.page.get_by_text("Close the session").click()
    console.page.get_by_role("button", name="Close it now").click()
    expect(page.locator("[data-slot=terminal-state]")).to_have_attribute("data-connection", "lost")


def many_things_are_typed_and_read(ada: ParticipantPage) -> None:
    """Types commands of the engine, and checks colors, wide characters, the size and a long paste."""
    page = ada.page
    assert re.search(r'users:\(\("nginx"', run_line(page, "ss -Hltnp 'sport = :80'"))
    assert re.search(r"0\.0\.0\.0:80 .*nginx", run_line(page, "netstat -tulpn | grep :80"))
    type_line(page, r"clear; printf '\e[38;2;250;120;20;48;2;10;10;60mBright\e[0m \e[1;31mred\e[0m grün 漢字\n'")
    expect(rows(page).locator("span", has_text="Bright").first).to_have_css("color", re.compile(r"rgb\(250, 1"))
    expect(rows(page)).to_contain_text("grün 漢字")
    type_line(page, "stty size")
    count = page.evaluate("() => document.querySelectorAll('.xterm-rows > div').length")
    expect(rows(page)).to_contain_text(re.compile(rf"{count} \d\d"))

    # A long paste arrives whole; one that is too long is refused with a visible sentence.
    type_line(page, "clear; echo reads-$((2+6)); cat > /tmp/pasted")
    expect(rows(page)).to_contain_text("reads-8")
    page.evaluate(PASTE, 7000)
    problem = page.locator("[data-slot=terminal-problem]")
    expect(problem).to_be_visible()
    expect(problem).to_have_text("Too much text: paste at most 64 kB at once.")
    page.evaluate(PASTE, 4000)
    expect(problem).to_be_hidden()
    page.keyboard.press("Control+d")
    type_line(page, "clear; wc -c < /tmp/pasted")
    expect(rows(page)).to_contain_text("44000")


def the_page_is_left_and_two_windows_share_the_terminal(ada: ParticipantPage) -> None:
    """Output is there after the page is loaded again, scrolled back, and in a second window."""
    page = ada.page
    page.reload()
    is_live(page)
    expect(rows(page)).to_contain_text("again-24")
    type_line(page, "for n in $(seq 200); do echo line-$n; done")
    expect(rows(page)).to_contain_text("line-200")
    page.keyboard.press("Shift+PageUp")
    page.keyboard.press("Shift+PageUp")
    expect(rows(page)).not_to_contain_text("line-200")
    type_line(page, "read -t 2; clear; for n in $(seq 200); do echo row-$n; done")  # what is cleared is not looked at
    page.keyboard.press("Shift+PageUp")
    expect(rows(page)).to_contain_text("row-200")
    second = ada.who.open(page.url)
    is_live(second)
    type_line(second, "clear; echo shared-$((20+5))")
    expect(rows(page)).to_contain_text("shared-25")
    second.close()
