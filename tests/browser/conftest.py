"""One server for all browser tests. Each test has its own visitors, and every visitor records errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.axe import EXTENT
from tests.browser.chromium import ARGUMENTS, find_chromium
from tests.browser.comparison import ExperimentPage
from tests.browser.server import Server, running_server
from tests.browser.visitor import DEADLINE_MS, REPORT_VIOLATIONS, Show, Visit, Visitor
from tests.support.private_engine import PrivateEngine

expect.set_options(timeout=DEADLINE_MS)


@pytest.fixture(scope="session", autouse=True)
def _extent_of_axe(pytestconfig: pytest.Config) -> None:
    """In the gate, axe checks a part of each page."""
    EXTENT.is_whole = "not slow" not in pytestconfig.option.markexpr


@pytest.fixture(scope="session")
def server(engine_host: PrivateEngine, kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on the suite's engine, signed in."""
    with running_server(kept, tmp_path_factory.mktemp("server"), engine_host) as (running, link):
        running.sign_in(link)
        yield running


@pytest.fixture
def forgotten(server: Server) -> Iterator[None]:
    """Afterwards the server has no experiments."""
    yield
    server.forget_everything()


# For this folder and not for the session: while Playwright's synchronous API runs, asyncio takes its loop for running
# in this thread, and the asynchronous tests of other folders could not start theirs. The server comes before the
# browser: its engine is started with a loop.
@pytest.fixture(scope="package")
def browser(server: Server) -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield opened
        opened.close()


@contextmanager
def visits(browser: Browser, server: Server) -> Iterator[Visit]:
    """Creates visitors: signed in unless ``signed_in=False``; other options are Playwright's for a context.

    AssertionError at the end if a visitor had an error, a warning or a violation of the content security policy.
    """
    visitors: list[Visitor] = []

    def arrive(*, signed_in: bool = True, **options: Any) -> Visitor:
        options.setdefault("viewport", {"width": 1520, "height": 1250})
        context = browser.new_context(**options)
        if signed_in:
            cookies = server.cookies()
            context.add_cookies([{"name": n, "value": v, "url": server.url} for n, v in cookies.items()])
        if options.get("java_script_enabled", True):
            context.add_init_script(REPORT_VIOLATIONS)
        visitor = Visitor(context)
        visitors.append(visitor)
        return visitor

    yield arrive
    for visitor in visitors:
        visitor.context.close()
    problems = [problem for visitor in visitors for problem in visitor.unexpected()]
    assert not problems, "\n".join(problems)


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """Creates the visitors of a test, as ``visits``."""
    with visits(browser, server) as arrive:
        yield arrive


@pytest.fixture
def visitor(visit: Visit) -> Visitor:
    """A visitor that is signed in."""
    return visit()


@pytest.fixture
def show(visitor: Visitor, server: Server) -> Show:
    """Opens an experiment for the visitor. Waits for the live connection unless the experiment has ended."""

    def arrive(identity: str, *, who: Visitor | None = None, live: bool = True) -> ExperimentPage:
        shown = ExperimentPage((who or visitor).open(f"{server.url}/experiments/{identity}/"))
        if live:
            shown.wait_until_live()
        return shown

    return arrive
