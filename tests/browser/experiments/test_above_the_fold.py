"""The answer is on the screen when the page opens: in every state of an experiment, on a desktop and on a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.browser.comparison import ExperimentPage
from tests.browser.server import Server
from tests.browser.visitor import Visit
from tests.support.polling import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]
SIZES: tuple[ViewportSize, ...] = (
    {"width": 1440, "height": 900},
    {"width": 1024, "height": 768},
    {"width": 390, "height": 844},
)
#: How far the page has moved by itself since it opened (Layout Instability API).
SHIFTED = """() => new Promise((done) => new PerformanceObserver((list) => done(
    list.getEntries().reduce((sum, entry) => sum + (entry.hadRecentInput ? 0 : entry.value), 0)
)).observe({type: "layout-shift", buffered: true}) ?? setTimeout(() => done(0), 1000))"""
#: Links to evidence that stand alone on a line, below their sentence.
ALONE = """links => links.filter((link) =>
    link.getBoundingClientRect().top > link.previousElementSibling.getBoundingClientRect().bottom).length"""
#: Links to evidence whose arrow is in the padding of the card.
IN_PADDING = """links => {
    const inner = (box) => box.getBoundingClientRect().right - parseFloat(getComputedStyle(box).paddingRight);
    return links.filter((link) => inner(link) > inner(link.closest(".pad")) + 0.5).length;
}"""
MEASURED_S = 60.0
STATES = (
    "running",
    "failed",
    *(pytest.param(state, marks=pytest.mark.slow) for state in ("partly running", "ended")),
)


def try_and_measure(server: Server, experiment: str) -> None:
    """Requests and measures the paths of an experiment, so that its answer has all its sentences."""
    server.api(f"experiments/{experiment}/try?multicast=true", {})
    run = str(server.api("measurements", {"experiment": experiment, "seconds": 1})["id"])
    until(lambda: server.api(f"measurements/{run}")["run"]["state"] == "finished", MEASURED_S)


@pytest.fixture(scope="module")
def experiments(request: pytest.FixtureRequest, server: Server) -> Iterator[dict[str, str]]:
    """An experiment in each state that the selected tests need, by the name of the state."""
    tests = [item for item in request.session.items if "experiments" in getattr(item, "fixturenames", ())]
    wanted = {test.callspec.params.get("state", "running") for test in tests if hasattr(test, "callspec")}
    server.forget_everything()  # experiments of other modules may hold the ports
    modes, found = ["host", "bridge", "user-bridge"], {}
    if "ended" in wanted:  # before another one holds its ports
        found["ended"] = server.launch(modes=modes, publish="8080:80")
        try_and_measure(server, found["ended"])
        server.api(f"experiments/{found['ended']}/stop", {})
        until(lambda: server.phase(found["ended"]) == "stopped")
    found["running"] = server.launch(modes=modes, publish="8080:80")
    server.api(f"experiments/{found['running']}/try?multicast=true", {})
    if "partly running" in wanted:
        found["partly running"] = server.launch(modes=["host", "bridge"], publish="8090:80")
        server.api(f"experiments/{found['partly running']}/try?multicast=true", {})
    if "failed" in wanted:
        found["failed"] = str(server.api("experiments", {"modes": ["host"]})["id"])
        until(lambda: server.phase(found["failed"]) == "failed")
    yield found
    server.forget_everything()


@pytest.mark.parametrize("state", STATES)
def test_the_answer_and_every_view_are_on_the_screen(
    state: str, experiments: dict[str, str], visit: Visit, server: Server
) -> None:
    page = visit(viewport=SIZES[0]).open(f"{server.url}/experiments/{experiments[state]}/")
    answer = page.locator("#answer")
    trouble = answer.locator("[data-slot=trouble-box]")
    if state in {"partly running", "failed"}:
        expect(trouble).to_contain_text("listens on port 80 of this machine")
        expect(trouble).to_have_attribute("data-severity", "warn" if state == "partly running" else "bad")
    else:
        expect(answer.locator("[data-rule=namespace]")).to_be_visible()
        expect(trouble).to_be_hidden()
    if state != "failed":
        expect(answer.locator("[data-slot=answer-tried]")).to_be_visible()
    if state == "ended":
        measured = answer.locator("[data-slot=answer-measured]").or_(answer.locator("[data-slot=answer-inconclusive]"))
        expect(measured.filter(visible=True)).to_have_count(1)
    for size in SIZES:
        page.set_viewport_size(size)
        expect(answer).to_be_in_viewport(ratio=1)
        for view in page.locator(".tabs a").all():
            expect(view).to_be_in_viewport(ratio=1)
    evidence = answer.locator(":is(ol > li, .cost):visible > a")
    for width in (390, 380, 370, 360):
        page.set_viewport_size({"width": width, "height": 844})
        assert (evidence.evaluate_all(ALONE), evidence.evaluate_all(IN_PADDING)) == (0, 0), width


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(size, marks=[pytest.mark.slow] * (size["width"] > 390), id=f"{size['width']}x{size['height']}")
        for size in SIZES
    ],
)
def test_nothing_moves_while_the_page_becomes_live(
    size: ViewportSize, experiments: dict[str, str], visit: Visit, server: Server
) -> None:
    page = visit(viewport=size).open(f"{server.url}/experiments/{experiments['running']}/")
    ExperimentPage(page).wait_until_live()
    assert page.evaluate(SHIFTED) < 0.05
