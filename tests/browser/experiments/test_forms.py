"""The launch form: errors are shown at their fields, and all input reaches Docker."""

from __future__ import annotations

import shlex

import pytest
from playwright.sync_api import Page, expect

from tests.browser.comparison import ExperimentPage
from tests.browser.server import Server
from tests.browser.visitor import Visitor, wait_for_script
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.usefixtures("forgotten")]


def _arm(page: Page, number: int, **fields: str) -> None:
    """Fills in the options of an arm."""
    wait_for_script(page)  # else the browser sends the form when an arm is added
    for fold in page.locator("details.options").all():
        if fold.get_attribute("open") is None:
            fold.locator("summary").first.click()
    while page.locator(f"#arms-{number - 1}-mode").count() == 0:
        page.get_by_role("button", name="Add an arm").click()
    page.locator(f"#arms-{number - 1}-mode").select_option(fields.pop("mode"))
    for name, value in fields.items():
        page.locator(f"#arms-{number - 1}-{name}").fill(value)


def test_an_invalid_port_is_shown_at_its_field_and_all_input_is_kept(visitor: Visitor, server: Server) -> None:
    visitor.expect(r"Failed to load resource: .* 400 .*/experiments/")
    page = visitor.open(server.url)
    page.get_by_label("Image", exact=True).first.fill("nginx:1.27")
    page.get_by_label("Container port").first.fill("eighty")
    page.get_by_text("More options").click()
    page.get_by_label("Names to look up").fill("db.internal")
    page.locator("#mode-none").check()
    page.locator("#mode-host").uncheck()
    _arm(page, 3, mode="bridge", hostname="web", environment="A=1\nB=two words")
    with page.expect_response(lambda response: response.request.method == "POST") as answer:
        page.get_by_role("button", name="Launch", exact=True).click()
    assert answer.value.status == 400
    expect(page.locator("#problems")).to_be_focused()
    expect(page.locator("#problems")).to_contain_text("1 problem to fix before launch")
    port = page.locator("#field-port")
    expect(port).to_have_value("eighty")
    expect(port).to_have_attribute("aria-invalid", "true")
    expect(port).to_have_accessible_description(
        "where the program listens The port must be a number from 1 to 65535, not “eighty”."
    )
    expect(page.locator("#field-image")).to_have_value("nginx:1.27")
    expect(page.locator("#field-names")).to_have_value("db.internal")
    checked = page.locator("input[name=mode]:checked").evaluate_all("boxes => boxes.map(one => one.value)")
    assert checked == ["bridge", "none"]
    group = page.locator("fieldset.arm").filter(has=page.locator("option:checked", has_text="bridge"))
    expect(group.get_by_label("Host name (--hostname)")).to_have_value("web")
    expect(group.get_by_label("Environment (-e)")).to_have_value("A=1\nB=two words")
    page.locator("#problems a").click()
    expect(port).to_be_focused()
    assert server.api("experiments") == []


def test_every_error_links_to_its_field_also_in_an_arm(visitor: Visitor, server: Server) -> None:
    visitor.expect(r"Failed to load resource: .* 400 .*/experiments/")
    page = visitor.open(server.url)
    _arm(page, 2, mode="bridge", dns="nobody", environment="no value", command="sh -c 'open")
    page.get_by_role("button", name="Launch", exact=True).click()
    expect(page.locator("#problems li")).to_have_count(3)
    invalid = page.locator(".arm [aria-invalid=true]")
    expect(invalid).to_have_count(3)
    for place in range(3):
        link = page.locator("#problems a").nth(place)
        target = (link.get_attribute("href") or "").removeprefix("#")
        link.click()
        expect(page.locator(f"#{target}")).to_be_focused()
        expect(page.locator(f"#{target}_error")).to_have_text(link.inner_text())


def test_a_double_click_sends_the_launch_form_once(visitor: Visitor, server: Server) -> None:
    page = visitor.open(server.url)
    wait_for_script(page)
    sent = page.get_by_role("button", name="Launch", exact=True).evaluate(
        """button => new Promise((resolve) => {
            let sent = 0;
            addEventListener("submit", (event) => {
                if (event.defaultPrevented) return;
                event.preventDefault(); // the page stays, as while the server works on the launch
                sent += 1;
                if (sent === 1) setTimeout(() => { button.click(); resolve(sent); });
            });
            button.click();
        })"""
    )
    assert sent == 1


def test_the_holders_of_ports_have_the_focus_and_after_a_stop_the_form_continues(
    visitor: Visitor, server: Server
) -> None:
    visitor.expect(r"Failed to load resource: .* 409 .*/experiments/")
    server.launch(modes=["host"])
    page = visitor.open(server.url)
    page.get_by_label("Container port").first.press("Enter")
    expect(page.locator("#held-ports")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("the ports are free")).to_be_focused()


def test_every_option_of_an_arm_reaches_docker_and_is_in_its_line(
    visitor: Visitor, server: Server, engine_host: PrivateEngine
) -> None:
    page = visitor.open(server.url)
    page.get_by_text("More options").click()
    for mode in ("host", "bridge"):
        page.locator(f"#mode-{mode}").uncheck()
    page.locator("#field-publish").fill("none")
    _arm(
        page,
        1,
        mode="bridge",
        command="sh -c 'exec nc -ll -p 8125 -e id'",
        port="8125",
        publish="127.0.0.1:8126:8125",
        hostname="web",
        dns="192.0.2.53",
        user="1000:1000",
        add_host="db:192.0.2.7",
        environment="GREETING=two words",
        sysctls="net.core.somaxconn=512",
    )
    _arm(page, 2, mode="container", target="bridge", command="sleep 600")
    page.get_by_role("button", name="Launch", exact=True).click()
    shown = ExperimentPage(page)
    shown.wait_for("running")
    assert shown.columns() == ["machine", "bridge", "container"]
    command = shown.command("bridge")
    for option in (
        "-p 127.0.0.1:8126:8125",
        "--hostname web",
        "--dns 192.0.2.53",
        "--user 1000:1000",
        "--add-host db:192.0.2.7",
        "-e 'GREETING=two words'",
        "--sysctl net.core.somaxconn=512",
        "nginx sh -c 'exec nc -ll -p 8125 -e id'",
    ):
        assert option in command
    name = f"nm-{shown.identity}-bridge"
    assert f"--network container:{name}" in shown.command("container")
    # The page shows the options …
    expect(shown.cell("identity/hostname/", "bridge")).to_have_text("web")
    expect(shown.cell("dns/resolver/nameservers", "bridge")).to_contain_text("192.0.2.53")
    expect(shown.cell("sysctls/net.core.somaxconn/", "bridge")).to_have_text("512")
    expect(shown.cell("hosts/db/", "bridge")).to_contain_text("192.0.2.7")
    expect(shown.cell("listeners/tcp :8125/", "bridge")).to_contain_text("nc")
    expect(shown.cell("identity/netns/", "container").locator(".ns")).to_be_attached()
    assert shown.text("identity/netns/", "container") == shown.text("identity/netns/", "bridge")
    # … and the container has them.
    assert engine_host.docker("exec", name, "sh", "-c", "echo $GREETING; id -u; hostname") == "two words\n1000\nweb"
    # The line can be typed: it makes the same container.
    shown.press("Stop")
    shown.wait_for("stopped")
    typed = engine_host.docker(*shlex.split(command)[1:])
    try:
        said = engine_host.inspect(typed, "{{.Config.Hostname}} {{.Config.User}} {{json .HostConfig.Sysctls}}")
        assert said == 'web 1000:1000 {"net.core.somaxconn":"512"}'
        assert engine_host.inspect(typed, "{{.HostConfig.Dns}} {{.HostConfig.ExtraHosts}}") == (
            "[192.0.2.53] [db:192.0.2.7]"
        )
        assert engine_host.docker("exec", typed, "sh", "-c", "echo $GREETING") == "two words"
    finally:
        engine_host.docker("rm", "-f", typed)
