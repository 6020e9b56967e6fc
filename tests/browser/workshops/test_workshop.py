"""The host-network workshop from the first step to the last, once with buttons and once in a shell."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from dashboard.core.workshops.launches import Launch
from tests.browser.axe import violations, violations_of_another_state
from tests.browser.server import Server
from tests.browser.typed import NOT_YET
from tests.browser.visitor import Visit, Visitor
from tests.browser.workshop import Shell, StepPage
from tests.lab.training_builders import workshop
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.browser, pytest.mark.engine]

HOST = workshop("host-network")
BRIDGE = workshop("bridge-and-dns")
#: A typical prediction, and the truth from the kernel.
EXPECTED = {
    "launch": ("The network of this machine", "The network of this machine"),
    "request": ("172.17.0.1, Docker's bridge", "127.0.0.1, this machine itself"),
    "interfaces": ("One", "None"),
    "process": ("nginx itself", "nginx itself"),
    "stop": ("A stopped container that can be started again", "Nothing at all"),
    "isolation": ("Yes, it is one and the same", "No, the container has its own copy"),
    "performance": ("About a tenth of a second", "A few millionths of a second"),
    "ports": ("It discards the port with a warning", "It discards the port with a warning"),
    "interference": ("The Engine refuses to start it", "It starts and soon exits"),
    "dns": ("One that names Docker's resolver, 127.0.0.11", "A copy of this machine's file"),
    "when": ("A tool that watches all traffic of this machine", "A tool that watches all traffic of this machine"),
    "bridge": ("docker-proxy", "docker-proxy"),
    "user-bridge": ("127.0.0.11, Docker's resolver", "127.0.0.11, Docker's resolver"),
    "clean-up": ("No, remove its containers first", "No, remove its containers first"),
}
RIGHT = sum(1 for expected, truth in EXPECTED.values() if expected == truth)


@pytest.fixture
def shell(engine_host: PrivateEngine) -> Iterator[Shell]:
    made = Shell(engine_host)
    yield made
    made.leave_nothing(*HOST.steps, *BRIDGE.steps)


def start(visitor: Visitor, server: Server, slug: str = "host-network") -> StepPage:
    """Opens the first step from the start page, on an engine without leftovers of other tests."""
    server.forget_everything()
    page = visitor.open(server.url)
    page.get_by_role("link", name="Workshops", exact=True).click()
    page.locator("main").get_by_role("link", name=workshop(slug).title, exact=True).click()
    page.wait_for_url(f"**/workshop/{slug}/", wait_until="load")
    again = page.get_by_role("button", name="Start over")
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
    """Checks the shown answer and goes to the next step."""
    step.wait_until_done()
    if step.slug in EXPECTED:
        expected, truth = EXPECTED[step.slug]
        assert step.shown_truth() == truth, step.slug
        verdict = "Correct." if expected == truth else "Not quite; here is why:"
        expect(step.page.get_by_text(verdict)).to_be_visible()
    step.go_on()


def expect_result(page: Page, failed: int) -> None:
    expect(page.get_by_role("heading", name="Workshop completed")).to_be_visible()
    facts = page.locator(".certificate").inner_text()
    assert "16 of 16" in facts
    assert f"{RIGHT} of {len(EXPECTED)}" in facts
    assert re.search(rf"failed checks\s+{failed}\b", facts), facts
    rows = page.locator("table.results tbody tr")
    assert rows.count() == len(HOST.steps)
    for number, step in enumerate(HOST.steps):
        if step.slug in EXPECTED:
            assert EXPECTED[step.slug][1] in rows.nth(number).inner_text()


@pytest.mark.slow
def test_the_host_network_workshop_can_be_completed_with_buttons(
    visitor: Visitor, server: Server, shell: Shell
) -> None:
    step = start(visitor, server)
    for expected in HOST.steps:
        assert step.slug == expected.slug
        predict(step)
        step.press_commands()
        step.complete(expected)
        finish(step)
    expect_result(step.page, failed=0)
    assert shell.type("docker ps -aq").strip() == ""


def type_commands(step: StepPage, shell: Shell) -> None:
    """Types the commands of the page in a shell. Repeats a command while a container is not yet started or removed."""
    for line in step.page.locator(".command code").all_text_contents():
        if not line.startswith("docker pull"):
            until(lambda line=line: NOT_YET.search(shell.type(line)) is None)  # type: ignore[misc]


def expect_advice(step: StepPage, *parts: str) -> None:
    """Waits for the advice of an automatic check."""
    for part in parts:
        expect(step.advice).to_contain_text(part)


@pytest.mark.slow
def test_the_host_network_workshop_can_be_completed_in_a_shell_despite_mistakes(
    visitor: Visitor, server: Server, shell: Shell
) -> None:
    step = start(visitor, server)
    step.check()
    finish(step)

    predict(step)
    expect_advice(step, "Nothing was launched", "docker run --rm -d --name web --network host nginx")
    step.check()  # one failed check that counts
    expect(step.page.locator("table.findings .no")).to_have_count(3)
    shell.type("docker run -d --name web nginx")
    expect_advice(step, "web runs in mode bridge, not in mode host", "--network host before the image's name")
    shell.type("docker rm -f web")
    expect_advice(step, "Nothing was launched")
    shell.type("docker run -d --name web --network host nginx")  # no --rm: it will be left over
    finish(step)

    predict(step)
    expect_advice(step, "no request from 127.0.0.1 within the last minute", "leaves no trace")
    assert "Could not connect" in shell.type("curl -sS http://127.0.0.1:8080/")
    expect_advice(step, "no request from 127.0.0.1 within the last minute")
    assert "You reached 127.0.0.1:80" in shell.type("curl -s http://127.0.0.1/")
    finish(step)

    for slug in ("interfaces", "process"):
        assert step.slug == slug
        predict(step)
        type_commands(step, shell)
        expect(step.page.locator("table.findings .yes").first).to_be_visible()
        assert not step.is_done(), "everything held from the start: the text comes first"
        step.check()
        finish(step)

    predict(step)
    shell.type("docker stop web")
    expect_advice(step, "web exited", "without --rm is not removed", "docker rm web")
    shell.type("docker rm web")
    finish(step)

    for slug in ("isolation", "performance", "ports"):
        assert step.slug == slug
        predict(step)
        if slug == "ports":
            expect_advice(step, "publishes no port, not port 8080")
        type_commands(step, shell)
        if not step.page.locator("[data-auto]").count():
            step.check()
        finish(step)

    predict(step)
    shell.type("docker run -d --name second nginx")
    expect_advice(step, "second runs on the bridge")
    shell.type("docker rm -f second")
    shell.type("docker run -d --name second --network host nginx")
    finish(step)

    for slug in ("dns", "when", "bridge", "user-bridge"):
        assert step.slug == slug
        predict(step)
        if slug == "bridge":
            expect_advice(step, "web runs in mode host, not in mode bridge")
        type_commands(step, shell)
        if not step.page.locator("[data-auto]").count():
            step.check()
        finish(step)

    launches = [command for command in HOST.steps[14].run if isinstance(command.action, Launch)]
    assert step.slug == "challenge"
    expect_advice(step, "No running container is in mode host")
    shell.type(launches[0].line)
    shell.type(launches[1].line.replace("8081", "8083"))
    expect_advice(step, "publishes", "8083", "not port 8081")
    shell.type("docker rm -f middle")
    shell.type(launches[1].line)
    shell.type(launches[2].line)
    for port in (80, 8081, 8082):
        until(lambda port=port: "You reached" in shell.type(f"curl -s http://127.0.0.1:{port}/"))  # type: ignore[misc]
    finish(step)

    predict(step)
    type_commands(step, shell)
    finish(step)
    expect_result(step.page, failed=1)
    assert shell.type("docker ps -aq").strip() == ""


def test_without_javascript_a_workshop_can_be_done_with_the_keyboard(
    visit: Visit, server: Server, shell: Shell
) -> None:
    step = start(visit(java_script_enabled=False), server)
    page = step.page
    step.check()
    expect(page.locator(".reveal")).to_be_visible()
    step.go_on()
    expect(page.get_by_text("Submit a prediction to see the commands.")).to_be_visible()
    page.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your prediction: The network of this machine")).to_be_visible()
    step.check()
    expect(step.advice).to_contain_text("Nothing was launched")
    page.get_by_role("button", name=re.compile("Launch")).press("Enter")
    expect(page.locator("pre.output")).to_be_visible()
    expect(page.locator(".reveal")).to_be_visible()
    expect(page.get_by_role("link", name="Next step")).to_be_in_viewport()


def test_a_locked_step_names_the_step_before_it_and_a_hint_can_be_opened(
    visitor: Visitor, server: Server, shell: Shell
) -> None:
    visitor.expect("409")
    step = start(visitor, server)
    step.page.goto(f"{server.url}/workshop/host-network/challenge/")
    expect(step.page.get_by_text("“Prepare” must be done first.")).to_be_visible()
    step.page.goto(f"{server.url}/workshop/host-network/prepare/")
    step.page.get_by_text("Hint 1").click()
    expect(step.page.get_by_text("If no registry answers, docker pull fails.")).to_be_visible()


def test_a_step_shows_why_its_automatic_checks_fail(visit: Visit, server: Server, shell: Shell) -> None:
    visitor = visit(signed_in=False)
    visitor.expect(r"Failed to load resource: .* 401 ")
    other = visitor.open(server.another_link())
    step = start(visitor, server)
    problem = step.page.locator("[data-region=problem]")
    other.get_by_role("button", name="Sign out").click()
    expect(problem).to_have_text("signed out: sign in again")
    other.goto(server.another_link())
    expect(problem).to_be_empty()


def test_on_a_phone_the_explanation_is_in_view_when_a_step_completes_by_itself(
    visitor: Visitor, server: Server, shell: Shell
) -> None:
    step = start(visitor, server)
    step.page.set_viewport_size({"width": 390, "height": 844})
    step.check()
    step.wait_until_done()
    step.go_on()
    predict(step)
    step.press_commands()
    step.wait_until_done()
    expect(step.page.locator("#reveal-title")).to_be_in_viewport()


def test_axe_finds_no_violations_on_workshop_pages(visitor: Visitor, server: Server, shell: Shell) -> None:
    step = start(visitor, server)
    found = violations(step.page)
    step.check()
    step.wait_until_done()
    found += violations_of_another_state(step.page)
    step.go_on()
    found += violations(step.page)
    predict(step)
    expect_advice(step, "Nothing was launched")
    step.press_commands()
    step.wait_until_done()
    found += violations(step.page)
    for path in ("/workshop/", "/workshop/host-network/", "/workshop/host-network/result/"):
        step.page.goto(server.url + path)
        found += violations(step.page)
    assert found == []
