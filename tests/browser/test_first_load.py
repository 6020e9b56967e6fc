"""The first visit transfers little, and the second requests no file again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.server import Server
from tests.browser.visitor import Visit, wait_for_script

pytestmark = [pytest.mark.browser, pytest.mark.engine]
MAX_BYTES = 120_000
#: Bytes on the wire by address, 0 for what came from the cache (Resource Timing, transferSize).
TRANSFERRED = """() => Object.fromEntries(
  [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .map((one) => [new URL(one.name).pathname, one.transferSize]))"""


@pytest.fixture(scope="module")
def running(server: Server) -> Iterator[str]:
    identity = server.launch(modes=["host", "bridge", "none"], publish="8080:80")
    yield f"/experiments/{identity}/"
    server.forget_everything()


@pytest.mark.parametrize(
    "which",
    ["/", "experiment", *(pytest.param(path, marks=pytest.mark.slow) for path in ("/reports/example/", "/sessions/"))],
)
def test_a_first_visit_is_small_and_a_second_one_asks_for_no_file(
    which: str, running: str, visit: Visit, server: Server
) -> None:
    address = f"{server.url}{running if which == 'experiment' else which}"
    page = visit().open(address)
    wait_for_script(page)  # a module that has not arrived yet would be fetched by the second visit
    first = page.evaluate(TRANSFERRED)
    assert len([path for path in first if path.startswith("/static/")]) > 5
    assert all(first.values()), "everything is fetched once"
    assert sum(first.values()) <= MAX_BYTES, sorted(first.items(), key=lambda one: -one[1])[:8]
    page.goto(address)
    wait_for_script(page)
    again = page.evaluate(TRANSFERRED)
    assert [path for path, size in again.items() if size and path.startswith("/static/")] == []
