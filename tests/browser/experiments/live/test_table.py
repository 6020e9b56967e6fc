"""A running experiment: what the page shows, and how it is searched and folded."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.comparison import ExperimentPage, scrolls_sideways
from tests.browser.experiments.live.conftest import PORT, inside, try_paths
from tests.browser.visitor import Show, Visit
from tests.support.private_engine import PrivateEngine
from tests.support.specs import SERVES_OPEN_PORT

pytestmark = [pytest.mark.browser, pytest.mark.engine]


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
    expect(page.page).to_have_url(re.compile(f"/experiments/{running}/$"))
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


def test_without_access_to_the_clipboard_the_button_tells_how_the_text_is_copied(shown: ExperimentPage) -> None:
    button = shown.detail("host").get_by_role("button", name="Copy host command")
    shown.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})")
    button.click()
    expect(button).to_have_attribute("data-by-hand", "Text selected: press Ctrl+C to copy it")
    assert shown.page.evaluate("getSelection().toString()").startswith("docker run")
    shown.page.evaluate("delete navigator.clipboard")


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
    try_paths(page)
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


def test_a_table_of_twenty_columns_scrolls_instead_of_squeezing_them(running: str, show: Show, visit: Visit) -> None:
    page = show(running, who=visit(viewport={"width": 1920, "height": 900}))
    narrowest, hidden = page.page.locator("#comparison .scroll").evaluate(
        """one => {
            const heads = one.querySelector(".heads");
            while (heads.children.length < 21) heads.append(heads.lastElementChild.cloneNode(true));
            one.querySelector(".facts-table").classList.replace("columns-4", "columns-20");
            const widths = [...heads.children].map(head => head.getBoundingClientRect().width);
            return [Math.min(...widths), one.scrollWidth - one.clientWidth];
        }"""
    )
    assert narrowest >= 150
    assert hidden > 0


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
    inside(engine_host, running, "bridge", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9004")
    expect(page.row("listeners/tcp :9004/")).to_have_count(0)
