"""The host-network workshop, played from the first step to the last: with buttons, and typed in a shell outside."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from dashboard.core.workshops.commands import Launch
from tests.browser.axe import violations
from tests.browser.server import Server
from tests.browser.typed import NOT_YET
from tests.browser.visitor import Visit, Visitor
from tests.browser.workshop import Shell, StepPage, workshop
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.browser, pytest.mark.engine]

HOST = workshop("host-network")
BRIDGE = workshop("bridge-and-dns")
#: What somebody expects who has read the article, and what the kernel says.
EXPECTED = {
    "launch": ("The network of this machine", "The network of this machine"),
    "request": ("172.17.0.1, Docker's bridge", "127.0.0.1, this machine itself"),
    "interfaces": ("One", "None"),
    "process": ("nginx itself", "nginx itself"),
    "stop": ("A stopped container, which can be started again", "Nothing at all"),
    "isolation": ("Yes, it is one and the same", "No, the container has a copy of its own"),
    "performance": ("About a tenth of a second", "A few millionths of a second"),
    "ports": ("It drops the port and warns", "It drops the port and warns"),
    "interference": ("The Engine refuses to start it", "It starts and ends soon after"),
    "dns": ("One that names Docker's resolver, 127.0.0.11", "A copy of this machine's file"),
    "when": ("A tool that watches all traffic of this machine", "A tool that watches all traffic of this machine"),
    "bridge": ("docker-proxy", "docker-proxy"),
    "user-bridge": ("127.0.0.11, Docker's resolver", "127.0.0.11, Docker's resolver"),
    "clean-up": ("No, its containers must go first", "No, its containers must go first"),
}
RIGHT = sum(1 for expected, truth in EXPECTED.values() if expected == truth)


@pytest.fixture
def shell(engine_host: PrivateEngine) -> Iterator[Shell]:
    made = Shell(engine_host)
    yield made
    made.leave_nothing(*HOST.steps, *BRIDGE.steps)


def begin(visitor: Visitor, server: Server, slug: str = "host-network") -> StepPage:
    """From the start page to the first step, as if for the first time, with nothing of other tests on the engine."""
    server.forget_everything()
    page = visitor.open(server.url)
    page.get_by_role("link", name="Workshop", exact=True).click()
    page.locator("main").get_by_role("link", name=workshop(slug).title, exact=True).click()
    page.wait_for_url(f"**/workshop/{slug}/", wait_until="load")
    again = page.get_by_role("button", name="Begin anew")
    if again.count():
        with page.expect_navigation(wait_until="load"):
            again.click()
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(f"**/workshop/{slug}/{workshop(slug).steps[0].slug}/")
    return StepPage(page)


def predict(step: StepPage) -> None:
    if step.slug in EXPECTED:
        step.predict(EXPECTED[step.slug][0])


def finish(step: StepPage) -> None:
    """The truth is shown, and the step leads on."""
    step.wait_until_done()
    if step.slug in EXPECTED:
        expected, truth = EXPECTED[step.slug]
        assert step.shown_truth() == truth, step.slug
        verdict = "You were right." if expected == truth else "It is otherwise. Now you know."
        expect(step.page.get_by_text(verdict)).to_be_visible()
    step.go_on()


def expect_result(page: Page, failed: int) -> None:
    expect(page.get_by_role("heading", name="Workshop completed")).to_be_visible()
    facts = page.locator(".certificate").inner_text()
    assert "16 of 16" in facts
    assert f"{RIGHT} of {len(EXPECTED)}" in facts
    assert re.search(rf"checks that failed first\s+{failed}\b", facts), facts
    rows = page.locator("table.results tbody tr")
    assert rows.count() == len(HOST.steps)
    for number, step in enumerate(HOST.steps):
        if step.slug in EXPECTED:
            assert EXPECTED[step.slug][1] in rows.nth(number).inner_text()


def test_the_host_network_workshop_with_buttons(visitor: Visitor, server: Server, shell: Shell) -> None:
    step = begin(visitor, server)
    for expected in HOST.steps:
        assert step.slug == expected.slug
        predict(step)
        step.press_commands()
        if not step.is_done() and expected.slug != "interference":
            step.check()
        finish(step)
    expect_result(step.page, failed=0)
    assert shell.type("docker ps -aq").strip() == ""


def type_out(step: StepPage, shell: Shell) -> None:
    """What stands on the page, typed outside; again where a container is still on its way out, or not yet there."""
    for line in step.page.locator(".command code").all_text_contents():
        if not line.startswith("docker pull"):
            until(lambda line=line: NOT_YET.search(shell.type(line)) is None)  # type: ignore[misc]


def until_said(step: StepPage, *parts: str) -> None:
    """The page says it by itself: nothing is pressed."""
    for part in parts:
        expect(step.advice).to_contain_text(part)


@pytest.mark.slow
def test_the_host_network_workshop_typed_in_a_shell_with_wrong_turns(
    visitor: Visitor, server: Server, shell: Shell
) -> None:
    step = begin(visitor, server)
    step.check()
    finish(step)

    predict(step)
    until_said(step, "Nothing was launched", "docker run --rm -d --name web --network host nginx")
    step.check()  # one failed check that counts
    expect(step.page.locator("table.findings .no")).to_have_count(3)
    shell.type("docker run -d --name web nginx")
    until_said(step, "web runs in mode bridge, not in mode host", "--network host before the image's name")
    shell.type("docker rm -f web")
    until_said(step, "Nothing was launched")
    shell.type("docker run -d --name web --network host nginx")  # no --rm: it will be left over
    finish(step)

    predict(step)
    until_said(step, "nobody has asked it within the last minute", "leaves no trace")
    assert "Could not connect" in shell.type("curl -sS http://127.0.0.1:8080/")
    until_said(step, "nobody has asked it within the last minute")
    assert "You reached 127.0.0.1:80" in shell.type("curl -s http://127.0.0.1/")
    finish(step)

    for slug in ("interfaces", "process"):
        assert step.slug == slug
        predict(step)
        type_out(step, shell)
        expect(step.page.locator("table.findings .yes").first).to_be_visible()
        assert not step.is_done(), "all was so from the start: there is something to look at first"
        step.check()
        finish(step)

    predict(step)
    shell.type("docker stop web")
    until_said(step, "web ended but was not removed", "without --rm", "docker rm web")
    shell.type("docker rm web")
    finish(step)

    for slug in ("isolation", "performance", "ports"):
        assert step.slug == slug
        predict(step)
        if slug == "ports":
            until_said(step, "asked to publish no port, not port 8080")
        type_out(step, shell)
        if not step.page.locator("[data-auto]").count():
            step.check()
        finish(step)

    predict(step)
    shell.type("docker run -d --name second nginx")
    until_said(step, "second runs on the bridge")
    shell.type("docker rm -f second")
    shell.type("docker run -d --name second --network host nginx")
    finish(step)

    for slug in ("dns", "when", "bridge", "user-bridge"):
        assert step.slug == slug
        predict(step)
        if slug == "bridge":
            until_said(step, "web runs in mode host, not in mode bridge")
        type_out(step, shell)
        if not step.page.locator("[data-auto]").count():
            step.check()
        finish(step)

    launches = [command for command in HOST.steps[14].run if isinstance(command.action, Launch)]
    assert step.slug == "challenge"
    until_said(step, "None of those that run is in mode host")
    shell.type(launches[0].line)
    shell.type(launches[1].line.replace("8081", "8083"))
    until_said(step, "asked to publish", "8083", "not port 8081")
    shell.type("docker rm -f middle")
    shell.type(launches[1].line)
    shell.type(launches[2].line)
    for port in (80, 8081, 8082):
        until(lambda port=port: "You reached" in shell.type(f"curl -s http://127.0.0.1:{port}/"))  # type: ignore[misc]
    finish(step)

    predict(step)
    type_out(step, shell)
    finish(step)
    expect_result(step.page, failed=1)
    assert shell.type("docker ps -aq").strip() == ""


def test_without_a_script_by_keyboard(visit: Visit, server: Server, shell: Shell) -> None:
    step = begin(visit(java_script_enabled=False), server)
    page = step.page
    step.check()
    expect(page.locator(".reveal")).to_be_visible()
    step.go_on()
    expect(page.get_by_text("Predict first: then the command is shown.")).to_be_visible()
    page.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_text("You expect: The network of this machine")).to_be_visible()
    step.check()
    expect(step.advice).to_contain_text("Nothing was launched")
    page.get_by_role("button", name=re.compile("Launch it")).press("Enter")
    expect(page.locator("pre.output")).to_be_visible()
    step.check()
    expect(page.locator(".reveal")).to_be_visible()


def test_a_step_that_is_not_open_and_a_hint(visitor: Visitor, server: Server, shell: Shell) -> None:
    visitor.expect("409")
    step = begin(visitor, server)
    step.page.goto(f"{server.url}/workshop/host-network/challenge/")
    expect(step.page.get_by_text("“Prepare” must be done first.")).to_be_visible()
    step.page.goto(f"{server.url}/workshop/host-network/prepare/")
    step.page.get_by_text("Hint 1").click()
    expect(step.page.get_by_text("Where no registry answers, docker pull fails.")).to_be_visible()


def test_axe_finds_nothing_on_any_page_of_a_workshop(visitor: Visitor, server: Server, shell: Shell) -> None:
    step = begin(visitor, server)
    found = violations(step.page)
    step.check()
    step.wait_until_done()
    found += violations(step.page)
    step.go_on()
    found += violations(step.page)
    predict(step)
    until_said(step, "Nothing was launched")
    step.press_commands()
    step.wait_until_done()
    found += violations(step.page)
    for path in ("/workshop/", "/workshop/host-network/", "/workshop/host-network/result/"):
        step.page.goto(server.url + path)
        found += violations(step.page)
    assert found == []
