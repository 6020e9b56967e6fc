"""A running experiment, and a page that shows it, for all tests of this folder.

With ``--engine`` only the tests in ``ENGINE_TESTS`` of ``dashboard/launcher/suite.py`` run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, EngineFacts
from dashboard.engine.hosts.programs import engine_root
from tests.browser.comparison import ExperimentPage
from tests.browser.conftest import visits
from tests.browser.server import Server
from tests.support.private_engine import PrivateEngine
from tests.support.specs import HOST_WITHOUT_ROOT

PORT = 8080
MODES = ("host", "bridge", "user-bridge")
TRIED = "paths tried"


@pytest.fixture(scope="package")
def modes(server: Server) -> list[str]:
    """Those of the three modes that the engine has: ``--engine`` may select an engine without host mode."""
    if engine_root() is None:
        return list(MODES)
    return [each["mode"] for each in server.api("doctor")["modes"] if each["available"] and each["mode"] in MODES]


@pytest.fixture
def host_mode(modes: list[str]) -> None:
    """Skips the test if the engine has no host mode."""
    if "host" not in modes:
        pytest.skip("this engine has no host mode")


@pytest.fixture(scope="package")
def rootless_podman(facts: EngineFacts) -> bool:
    """Whether a program in host mode may not open port 80, and bridges are in a column of their own."""
    return ROOTLESS_PODMAN.matches(facts)


@pytest.fixture(scope="package")
def running(server: Server, modes: list[str], *, rootless_podman: bool) -> Iterator[str]:
    """Three arms with a published port, shared by the tests of this folder; each test leaves them unchanged."""
    arms = [HOST_WITHOUT_ROOT if mode == "host" and rootless_podman else {"mode": mode} for mode in modes]
    identity = server.launch(arms=arms, publish=f"{PORT}:80")
    yield identity
    server.forget_everything()


def inside(engine: PrivateEngine, identity: str, arm: str, *command: str) -> str:
    """Runs a command in the network namespace of an arm's container, as root of the machine."""
    pid = engine.inspect(f"nm-{identity}-{arm}", "{{.State.Pid}}")
    return engine.on_machine("nsenter", "-t", pid, "--net", *command)


@pytest.fixture(scope="package")
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


def try_paths(page: ExperimentPage) -> dict[str, dict[str, str]]:
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
