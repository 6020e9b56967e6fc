"""A running experiment: what the page shows, and how it follows changes.

With ``--engine`` only the tests in ``ENGINE_TESTS`` of ``dashboard/launcher/suite.py`` run."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, EngineFacts
from dashboard.engine.hosts.programs import engine_root
from tests.browser.comparison import ExperimentPage, scrolls_sideways
from tests.browser.conftest import visits
from tests.browser.server import Server
from tests.browser.visitor import Show, Visit, Visitor
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine
from tests.support.specs import HOST_WITHOUT_ROOT, SERVES_OPEN_PORT

pytestmark = [pytest.mark.browser, pytest.mark.engine]

PORT = 8080
MODES = ("host", "bridge", "user-bridge")
TRIED = "paths tried at"


@pytest.fixture(scope="module")
def modes(server: Server) -> list[str]:
    """The modes of the three that the engine has: ``--engine`` may select an engine without host mode."""
    if engine_root() is None:
        return list(MODES)
    return [each["mode"] for each in server.api("doctor")["modes"] if each["available"] and each["mode"] in MODES]


@pytest.fixture
def host_mode(modes: list[str]) -> None:
    """Skips the test if the engine has no host mode."""
    if "host" not in modes:
        pytest.skip("this engine has no host mode")


@pytest.fixture(scope="module")
def rootless_podman(facts: EngineFacts) -> bool:
    """Whether a program in host mode may not open port 80, and bridges are in a column of their own."""
    return ROOTLESS_PODMAN.matches(facts)


@pytest.fixture(scope="module")
def running(server: Server, modes: list[str], *, rootless_podman: bool) -> Iterator[str]:
    """Three arms with a published port, shared by the tests of this module; each test leaves them unchanged."""
    arms = [HOST_WITHOUT_ROOT if mode == "host" and rootless_podman else {"mode": mode} for mode in modes]
    identity = server.launch(arms=arms, publish=f"{PORT}:80")
    yield identity
    server.forget_everything()


def _inside(engine: PrivateEngine, identity: str, arm: str, *command: str) -> str:
    """Runs a command in the network namespace of an arm's container, as root of the machine."""
    pid = engine.inspect(f"nm-{identity}-{arm}", "{{.State.Pid}}")
    return engine.on_machine("nsenter", "-t", pid, "--net", *command)


@pytest.fixture(scope="module")
def live_page(running: str, browser: Browser, server: Server) -> Iterator[ExperimentPage]:
    """The live page of the experiment. A page in a new browser takes a second of processor time."""
    with visits(browser, server) as visit:
        visitor = visit()
        visitor.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
        visitor.expect(r"Failed to load resource: .* 400 .*/inspect/")
        page = ExperimentPage(visitor.open(f"{server.url}/experiments/{running}/"))
        page.wait_until_live()
        yield page


@pytest.fixture
def shown(live_page: ExperimentPage) -> ExperimentPage:
    """The live page, shared by tests: its sections are unfolded, and Inspect has its first command."""
    live_page.open_panel("inspect")
    live_page.page.get_by_label("Command", exact=True).select_option(index=0)
    live_page.open_panel("answer")
    folded = live_page.page.locator("[data-fold][aria-expanded=false]")
    while folded.count():
        folded.first.click()
    return live_page


# What is shown.


def test_every_arm_is_beside_the_machine_with_its_command(
    running: str, shown: ExperimentPage, modes: list[str], *, rootless_podman: bool
) -> None:
    assert shown.columns() == ["machine", *modes, *["rootless-netns"] * rootless_podman]
    for column in modes:
        expect(shown.head(column)).to_contain_text("running")
        expect(shown.detail(column)).to_contain_text(f"nm-{running}-{column}")
    if "host" in modes:
        image = f"nginx {SERVES_OPEN_PORT}" if rootless_podman else "nginx"
        assert shown.command("host") == f"docker run --rm -d --network host -p {PORT}:80 {image}"
    assert shown.command("bridge") == f"docker run --rm -d -p {PORT}:80 nginx"
    named = f"--name nm-{running}-user-bridge --network nm-{running}"
    assert shown.command("user-bridge") == f"docker run --rm -d {named} -p {PORT + 1}:80 nginx"
    assert shown.cut_off_heads() == []


@pytest.mark.usefixtures("host_mode")
def test_host_mode_has_the_machine_s_badge_and_bridge_its_own(shown: ExperimentPage, *, rootless_podman: bool) -> None:
    badges = [shown.cell("identity/netns/", column).locator(".ns") for column in shown.columns()]
    machine, host, *others = [one.inner_text() for one in badges]
    assert host == machine
    assert len({machine, *others}) == len(others) + 1
    colors = ["machine", "machine", "bridge", "user-bridge", *["machine"] * rootless_podman]
    assert [one.get_attribute("data-mode") for one in badges] == colors


def test_a_discarded_port_shows_the_engine_s_warning(shown: ExperimentPage) -> None:
    expect(shown.detail("host")).to_contain_text("Published ports are discarded when using host network mode")
    expect(shown.detail("host").locator("[data-slot=published]")).to_have_text("nothing")
    expect(shown.detail("bridge").locator("[data-slot=published]")).to_contain_text(f"0.0.0.0:{PORT} → 80/tcp")
    assert shown.text("published/80/tcp/published", "host") == "discarded"
    assert f"0.0.0.0:{PORT}" in shown.text("published/80/tcp/published", "bridge")


def test_every_difference_has_a_reason(shown: ExperimentPage) -> None:
    whys = shown.page.locator("tr[data-relation=differs] [data-slot=why]")
    assert whys.count() > 10
    assert all(whys.all_text_contents())


def test_the_diagram_shows_the_host_container_inside_the_machine(shown: ExperimentPage) -> None:
    machine = shown.box("machine:stack")
    assert machine.holds(shown.box("host:stack"))
    assert machine.left < machine.right < shown.box("bridge:stack").left


def test_the_diagram_shows_a_veth_pair_from_docker0_to_the_bridge_container(shown: ExperimentPage) -> None:
    docker0 = shown.page.locator("svg.picture.wide .box.interface", has_text="docker0").get_attribute("data-id") or ""
    cables = shown.edges("veth")
    assert len(cables) == 2
    assert any(shown.box(docker0).touches(*start) and shown.box("bridge:stack").touches(*end) for start, end in cables)
    assert any(shown.box("user-bridge:stack").touches(*end) for _, end in cables)


def test_the_diagram_is_also_described_as_text(shown: ExperimentPage) -> None:
    shown.page.get_by_text("The diagram as text").click()
    words = shown.page.locator("[data-slot=summary]")
    expect(words).to_be_visible()
    assert words.inner_text() == shown.page.locator("svg.picture.wide").get_attribute("aria-label")
    expect(words).to_contain_text("bridge")


# What happens while one watches.


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
    _inside(engine_host, running, "host", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9000")
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
    _inside(engine_host, running, "bridge", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9001")
    expect(page.row("listeners/tcp :9001/")).to_have_count(0)


def test_an_address_added_to_a_container_appears_and_goes(
    running: str, shown: ExperimentPage, engine_host: PrivateEngine
) -> None:
    page = shown
    cell = page.cell("interfaces/eth0/addresses", "bridge")
    _inside(engine_host, running, "bridge", "ip", "addr", "add", "203.0.113.7/24", "dev", "eth0")
    expect(cell).to_contain_text("203.0.113.7/24")
    expect(cell).to_have_class("hit")
    expect(page.cell("interfaces/eth0/addresses", "host")).not_to_contain_text("203.0.113.7")
    expect(page.happened("203.0.113.7").first).to_contain_text("bridge")
    _inside(engine_host, running, "bridge", "ip", "addr", "del", "203.0.113.7/24", "dev", "eth0")
    expect(cell).not_to_contain_text("203.0.113.7/24")


@pytest.mark.slow
def test_two_browsers_show_the_same(running: str, show: Show, visit: Visit, engine_host: PrivateEngine) -> None:
    one, other = show(running), show(running, who=visit())
    engine_host.docker("exec", "-d", f"nm-{running}-bridge", "nc", "-l", "-p", "9002")
    for page in (one, other):
        expect(page.cell("listeners/tcp :9002/", "bridge")).to_contain_text("nc")
    _inside(engine_host, running, "bridge", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9002")
    for page in (one, other):
        expect(page.row("listeners/tcp :9002/")).to_have_count(0)

    def seen(page: ExperimentPage) -> list[str]:
        texts: list[str] = page.page.locator("tr[data-row], .log li").all_text_contents()
        return texts

    until(lambda: seen(one) == seen(other))


def test_what_the_server_draws_is_what_the_browser_draws(running: str, show: Show, visit: Visit) -> None:
    live = show(running)
    still = show(running, who=visit(java_script_enabled=False), live=False)

    def seen(page: ExperimentPage) -> list[str]:
        texts = page.page.locator("tr[data-row] > *, .log li, svg.picture:visible text").all_text_contents()
        return [" ".join(text.split()) for text in texts]

    def same() -> bool:
        # The kernel may still be giving link-local addresses when the first comes.
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
    _inside(engine_host, running, "bridge", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9003")
    expect(page.row("listeners/tcp :9003/")).to_have_count(0)


# Finding things.


def test_differences_only_a_search_and_the_theme_are_remembered(running: str, show: Show) -> None:
    page = show(running)
    only, search = page.page.get_by_label("Differences only"), page.page.get_by_label("Filter rows")
    expect(only).to_be_checked()
    same = page.page.locator("tr[data-relation=same]:not([data-detail])")
    assert same.count() > 3
    expect(same.first).to_be_hidden()
    search.fill("docker0 MTU")
    expect(page.row("identity/netns/")).to_be_hidden()
    assert page.shown_rows() == ["interfaces/docker0/mtu"]
    only.uncheck()
    theme = page.page.locator("[data-theme-button]")
    paper = "getComputedStyle(document.body).backgroundColor"
    expect(theme).to_contain_text("Theme: auto")
    light = page.page.evaluate(paper)
    theme.click()
    expect(theme).to_contain_text("Theme: light")
    theme.click()
    expect(theme).to_contain_text("Theme: dark")
    assert page.page.evaluate(paper) != light

    page.page.reload()
    page.wait_until_live()
    expect(theme).to_contain_text("Theme: dark")
    assert page.page.evaluate(paper) != light
    expect(only).not_to_be_checked()
    expect(search).to_have_value("docker0 MTU")
    expect(page.row("identity/netns/")).to_be_hidden()
    search.fill("no such thing")
    expect(page.page.get_by_text("No row matches.")).to_be_visible()
    search.fill("")
    expect(page.row("identity/netns/")).to_be_visible()
    assert page.page.url.endswith(f"/experiments/{running}/")
    expect(same.first).to_be_visible()
    only.check()
    expect(same.first).to_be_hidden()


def test_a_section_folds_and_unfolds(shown: ExperimentPage) -> None:
    page = shown
    fold = page.page.get_by_role("button", name="Identity")
    expect(fold).to_have_attribute("aria-expanded", "true")
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(page.row("identity/netns/")).to_be_hidden()
    expect(page.row("published/80/tcp/published")).to_be_visible()
    fold.click()
    expect(page.row("identity/netns/")).to_be_visible()


def test_copy_puts_the_command_on_the_clipboard(shown: ExperimentPage) -> None:
    page = shown
    page.detail("host").get_by_role("button", name="Copy host command").click()
    expect(page.page.locator("#announcements")).to_have_text("Copied")
    copied = page.page.evaluate("navigator.clipboard.readText()")
    assert copied == f"docker run --rm -d --network host -p {PORT}:80 nginx"


# Talking to it.


def _try(page: ExperimentPage) -> dict[str, dict[str, str]]:
    """The attempts by title, each with the texts of its parts."""
    page.open_panel("try")
    page.page.get_by_role("button", name="Request over every path").click()
    expect(page.page.locator("[data-slot=try-state]")).to_contain_text(TRIED)
    found: dict[str, dict[str, str]] = {}
    for one in page.page.locator(".attempt").all():
        parts = ("from", "curl", "status", "time", "client", "failure", "unavailable", "body")
        texts = {part: one.locator(f"[data-slot={part}]").text_content() or "" for part in parts}
        found[one.locator("[data-slot=title]").inner_text()] = texts
    return found


def _user_bridge_paths(engine: PrivateEngine, identity: str, own: str) -> dict[str, tuple[str, str]]:
    network = (
        f'{{{{with index .NetworkSettings.Networks "nm-{identity}"}}}}{{{{.IPAddress}}}} {{{{.Gateway}}}}{{{{end}}}}'
    )
    inner, gateway = engine.inspect(f"nm-{identity}-user-bridge", network).split()
    return {
        "127.0.0.1 inside user-bridge": ("127.0.0.1:80", "127.0.0.1"),
        "The machine to user-bridge's address": (f"{inner}:80", gateway),
        "127.0.0.1 to the published port of user-bridge": (f"127.0.0.1:{PORT + 1}", gateway),
        "The machine's address to the published port of user-bridge": (f"{own}:{PORT + 1}", own),
    }


def test_every_path_answers_or_names_what_prevents_it(shown: ExperimentPage) -> None:
    """On any engine."""
    found = _try(shown)
    offered = {title: attempt for title, attempt in found.items() if not attempt["unavailable"]}
    assert offered
    assert {title: attempt["failure"] for title, attempt in offered.items() if attempt["status"] != "200 OK"} == {}


def test_try_it_requests_every_path_and_shows_the_client_ip(
    running: str, shown: ExperimentPage, engine_host: PrivateEngine
) -> None:
    page = shown
    found = _try(page)
    inner = engine_host.inspect(f"nm-{running}-bridge", "{{.NetworkSettings.Networks.bridge.IPAddress}}")
    gateway = engine_host.inspect(f"nm-{running}-bridge", "{{.NetworkSettings.Networks.bridge.Gateway}}")
    own = page.text("identity/address/", "machine").split(",")[0]
    expected = {
        "127.0.0.1 to host": ("127.0.0.1:80", "127.0.0.1"),
        "The machine's address to host": (f"{own}:80", own),
        "127.0.0.1 inside bridge": ("127.0.0.1:80", "127.0.0.1"),
        "The machine to bridge's address": (f"{inner}:80", gateway),
        "127.0.0.1 to the published port of bridge": (f"127.0.0.1:{PORT}", gateway),
        "The machine's address to the published port of bridge": (f"{own}:{PORT}", own),
        **_user_bridge_paths(engine_host, running, own),
    }
    assert expected.keys() < found.keys()
    for title, (address, client) in expected.items():
        assert found[title]["status"] == "200 OK", found[title]
        assert found[title]["curl"] == f"curl -i http://{address}/", title
        assert found[title]["time"].endswith(("µs", "ms"))
        assert found[title]["failure"] == ""
        assert found[title]["client"].rsplit(":", 1)[0] == client, title
        assert f"from {client}." in found[title]["body"]
    [title] = found.keys() - expected.keys()
    assert title == "Published port of host"
    assert found[title]["unavailable"] == "the Engine discarded -p: host uses the machine's own ports"
    assert found[title]["status"] == ""


def test_a_failed_path_shows_its_error(running: str, shown: ExperimentPage, engine_host: PrivateEngine) -> None:
    page = shown
    rule = ("INPUT", "-p", "tcp", "--dport", "80", "-j", "REJECT", "--reject-with", "tcp-reset")
    _inside(engine_host, running, "bridge", "iptables", "-A", *rule)
    try:
        found = _try(page)
    finally:
        _inside(engine_host, running, "bridge", "iptables", "-D", *rule)
    assert found["127.0.0.1 to host"]["status"] == "200 OK"
    assert "refused the connection" in found["127.0.0.1 inside bridge"]["failure"]
    assert "refused the connection" in found["The machine to bridge's address"]["failure"]
    # docker-proxy takes the connection before it knows that nobody is behind it.
    proxied = found["127.0.0.1 to the published port of bridge"]["failure"]
    assert f"127.0.0.1:{PORT}" in proxied
    assert "refused" not in proxied


def _inspect(page: ExperimentPage, column: str, command: str, name: str = "") -> str:
    """The output of an Inspect command."""
    page.open_panel("inspect")
    page.page.get_by_label("Column", exact=True).select_option(column)
    page.page.get_by_label("Command", exact=True).select_option(label=command)
    if name:
        page.page.get_by_label("Name to look up").fill(name)
    page.page.locator("[data-slot=inspect-state]").evaluate("one => { one.textContent = ''; }")
    page.page.get_by_role("button", name="Run").click()
    expect(page.page.locator("[data-slot=inspect-state]")).to_contain_text("Finished at")
    return page.page.locator("[data-slot=output]").inner_text()


def test_inspect_prints_the_same_addresses_as_the_table(shown: ExperimentPage) -> None:
    page = shown
    printed = _inspect(page, "bridge", "ip addr show")
    address = page.text("identity/address/", "bridge")
    assert f"inet {address}/16" in printed
    beside = page.page.locator("[data-slot=beside]")
    expect(beside).to_contain_text(f"{address}/16")
    expect(beside).not_to_contain_text("no such interface")
    beside.get_by_role("link", name="Interfaces").click()
    expect(page.row("interfaces/lo/link")).to_be_in_viewport()


def test_inspect_reads_the_files_of_the_column(running: str, shown: ExperimentPage, engine_host: PrivateEngine) -> None:
    page = shown
    for column in ("host", "bridge"):
        file = engine_host.docker("exec", f"nm-{running}-{column}", "cat", "/etc/resolv.conf")
        assert _inspect(page, column, "cat /etc/resolv.conf").strip() == file
    hosts = _inspect(page, "bridge", "cat /etc/hosts")
    assert page.text("identity/hostname/", "bridge") in hosts


def test_inspect_names_the_programs_that_listen(shown: ExperimentPage) -> None:
    page = shown
    assert "nginx" in _inspect(page, "bridge", "ss -tulpn")
    assert "docker-proxy" in _inspect(page, "machine", "ss -tulpn")


def test_inspect_asks_docker_s_resolver_for_a_name(running: str, shown: ExperimentPage) -> None:
    page = shown
    page.open_panel("inspect")
    expect(page.page.get_by_label("Name to look up")).to_be_hidden()
    printed = _inspect(page, "user-bridge", "nslookup NAME", f"nm-{running}-user-bridge")
    assert "127.0.0.11" in printed
    assert page.text("identity/address/", "user-bridge") in printed


def test_an_invalid_name_is_refused_with_a_sentence(shown: ExperimentPage) -> None:
    page = shown
    page.open_panel("inspect")
    page.page.get_by_label("Command", exact=True).select_option(label="nslookup NAME")
    page.page.get_by_label("Name to look up").fill("-x; id")
    page.page.get_by_role("button", name="Run").click()
    expect(page.page.locator("[data-slot=inspect-state]")).to_contain_text("is not a host name")


def test_a_command_that_takes_long_can_be_cancelled(
    running: str, shown: ExperimentPage, engine_host: PrivateEngine
) -> None:
    page = shown
    page.open_panel("inspect")
    page.page.get_by_label("Column", exact=True).select_option("bridge")
    page.page.get_by_label("Command", exact=True).select_option(label="nslookup NAME")
    page.page.get_by_label("Name to look up").fill("nobody.invalid")
    # Neither an answer nor a refusal comes back: nslookup waits.
    rule = ("INPUT", "!", "-i", "lo", "-j", "DROP")
    _inside(engine_host, running, "bridge", "iptables", "-A", *rule)
    try:
        page.page.get_by_role("button", name="Run").click()
        expect(page.page.get_by_text("Printing…")).to_be_visible()
        page.page.get_by_role("button", name="Cancel").click()
        expect(page.page.get_by_text("Cancelled")).to_be_visible()
        expect(page.page.get_by_role("button", name="Cancel")).to_be_hidden()
        expect(page.page.get_by_role("button", name="Run")).to_be_focused()
    finally:
        _inside(engine_host, running, "bridge", "iptables", "-D", *rule)


# A moment of the past.


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


# Any window.


def _below_the_footer(page: Page) -> float:
    """How many pixels the page goes on below its footer."""
    found: float = page.locator("footer.bottom").evaluate(
        "one => document.documentElement.scrollHeight - scrollY - one.getBoundingClientRect().bottom"
    )
    return found


def _open_everything(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")


@pytest.mark.slow
def test_nothing_scrolls_sideways_in_any_window(running: str, show: Show) -> None:
    page = show(running)
    page.page.get_by_label("Differences only").uncheck()
    _open_everything(page.page)
    _try(page)
    for width in (320, 390, 701, 1100, 1520, 2560):
        page.page.set_viewport_size({"width": width, "height": 900})
        wide = page.page.evaluate(
            """() => [...document.querySelectorAll("body *")]
                .filter(one => one.checkVisibility() && !one.closest(".scroll, .unseen, .sprite, pre, .skip, .tabs"))
                .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
                .map(one => one.outerHTML.slice(0, 120))"""
        )
        assert wide == [], width
        assert not scrolls_sideways(page.page), width


def test_the_page_ends_at_its_footer_while_the_timeline_scrolls(running: str, show: Show, visit: Visit) -> None:
    page = show(running, who=visit(viewport={"width": 1440, "height": 300}))
    box = page.page.locator("[data-slot=log-box]")
    page.page.locator("#comparison").evaluate("one => { one.style.display = 'none'; }")  # it is higher than the log
    assert box.evaluate("one => one.scrollHeight - one.clientHeight") > 0
    assert _below_the_footer(page.page) <= 1


def test_a_table_of_twelve_columns_has_the_whole_width(running: str, show: Show, visit: Visit) -> None:
    page = show(running, who=visit(viewport={"width": 1440, "height": 600}))
    page.page.locator(".facts-table").evaluate("one => one.classList.replace('columns-4', 'columns-12')")
    above = page.page.locator("#comparison .scroll").evaluate(
        """one => {
            one.scrollTop = 200;
            const head = one.querySelector(".heads > th");
            return [one.scrollTop, head.getBoundingClientRect().top - one.getBoundingClientRect().top];
        }"""
    )
    assert above == [200, 0], "the heads of the columns stay at the top of the box that scrolls"
    bottom = page.page.locator("#comparison").evaluate("one => one.getBoundingClientRect().bottom")
    assert page.page.locator(".timeline").evaluate("one => one.getBoundingClientRect().top") >= bottom
    assert _below_the_footer(page.page) <= 1


def test_on_a_phone_every_column_is_named_in_every_row(running: str, show: Show, visit: Visit) -> None:
    page = show(running, who=visit(viewport={"width": 320, "height": 700}, has_touch=True, is_mobile=True))
    names = (
        page.row("identity/netns/")
        .locator("td")
        .evaluate_all("cells => cells.map(one => getComputedStyle(one, '::after').content)")
    )
    assert names == ['"this machine"', '"host"', '"bridge"', '"user-bridge"']
    expect(page.page.locator("svg.picture.narrow")).to_be_visible()
    expect(page.page.locator("#nav")).to_be_hidden()
    page.page.get_by_role("button", name="Menu").click()
    expect(page.page.get_by_role("link", name="Reports")).to_be_visible()


def test_reduced_motion_is_respected(running: str, show: Show, visit: Visit, engine_host: PrivateEngine) -> None:
    page = show(running, who=visit(reduced_motion="reduce"))
    engine_host.docker("exec", "-d", f"nm-{running}-bridge", "nc", "-l", "-p", "9004")
    cell = page.cell("listeners/tcp :9004/", "bridge")
    expect(cell).to_have_class("hit")
    assert cell.evaluate("one => getComputedStyle(one).boxShadow") != "none"
    moving = page.page.evaluate(
        """() => [...document.querySelectorAll("*")].filter(one => {
            const style = getComputedStyle(one);
            return style.animationName !== "none" || !/^(0s(, )?)+$/.test(style.transitionDuration);
        }).length + document.getAnimations().length"""
    )
    assert moving == 0
    _inside(engine_host, running, "bridge", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9004")
    expect(page.row("listeners/tcp :9004/")).to_have_count(0)
