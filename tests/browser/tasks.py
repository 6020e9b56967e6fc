"""Five tasks of a first visit, each from the start page until its answer is in view.

As a program it does them on a private host of its own and prints the seconds of each beside the limit:

    var/venv/bin/python -m tests.browser.tasks [--slow MS] [--film FOLDER] [--video FOLDER] [--pictures FOLDER]

``--slow`` waits before every action, so that a person can follow; ``--film`` keeps a numbered picture of each step,
``--video`` a video of each task (it needs ``playwright install ffmpeg``); ``--pictures`` writes the pictures of the
documents.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright

from tests.browser.chromium import find_chromium
from tests.browser.comparison import ExperimentPage
from tests.browser.server import Server
from tests.support.private_engine import private_engine, share_lab_image

VIEWPORT: ViewportSize = {"width": 1440, "height": 900}
DEADLINE_MS = 90_000
MEASURE_S = "10"


@dataclass
class Walk:
    """One walk through pages. ``film`` receives a picture of each step, ``pictures`` those of the documents."""

    page: Page
    film: Path | None = None
    pictures: Path | None = None
    measure_s: str = MEASURE_S
    steps: list[str] = field(default_factory=list)

    def step(self, text: str) -> None:
        """Ends a step: what was done or seen."""
        self.steps.append(text)
        if self.film is not None:
            name = re.sub(r"\W+", "-", text.lower()).strip("-")[:60]
            self.page.screenshot(path=self.film / f"{len(self.steps)}-{name}.png")

    def picture(self, name: str) -> None:
        """Writes a picture of the documents: what is in view."""
        if self.pictures is not None:
            self.page.screenshot(path=self.pictures / f"{name}.png")

    def press(self, name: str) -> None:
        """Presses a button."""
        self.page.get_by_role("button", name=name, exact=True).first.click()
        self.step(f"Press {name}")

    def open_view(self, name: str) -> None:
        """Opens a view of the experiment."""
        self.page.locator("main").get_by_role("link", name=name, exact=True).first.click()
        self.step(f"Open {name}")

    def wait_until_running(self) -> None:
        """Waits until the experiment runs and its page is live."""
        shown = ExperimentPage(self.page)
        shown.wait_for("running")
        shown.wait_until_live()

    def see(self, place: Locator, text: str | re.Pattern[str]) -> None:
        """Waits until ``place`` contains the text and is completely in view."""
        expect(place).to_contain_text(text)
        expect(place).to_be_in_viewport(ratio=1)
        self.step(f"Read {place.inner_text().splitlines()[0][:60]}")


def host_or_bridge(walk: Walk) -> None:
    """Is host or bridge right for this web server, and why?"""
    walk.picture("start")
    walk.press("Launch")
    walk.wait_until_running()
    answer = walk.page.locator("#answer")
    walk.see(answer.locator("[data-rule=namespace]"), "host uses this machine's network namespace; bridge has its own.")
    walk.see(answer.locator("[data-rule=published]"), re.compile("bridge publishes .* host listens on the machine's"))
    walk.picture("experiment")


def why_publish_is_ignored(walk: Walk) -> None:
    """Why is -p ignored?"""
    walk.press("Launch: Web server")
    walk.wait_until_running()
    sentence = walk.page.locator("#answer [data-rule=discarded]")
    walk.see(sentence, "The Engine discarded -p for host")
    sentence.get_by_role("link").click()
    walk.see(ExperimentPage(walk.page).row("published/80/tcp/published"), "The Engine discards -p in host mode")


def who_holds_port_80(walk: Walk) -> None:
    """Which process holds port 80?"""
    walk.press("Launch")
    walk.see(walk.page.locator("#held-ports li").first, re.compile(r"nginx \(pid \d+\).* listens on port 80"))


def cost_of_localhost(walk: Walk) -> None:
    """What does localhost cost against the machine's address?"""
    walk.press("Launch")
    walk.wait_until_running()
    walk.open_view("Measure")
    walk.page.get_by_label("Time limit (s)").fill(walk.measure_s)
    walk.press("Measure")
    expect(walk.page.locator("main")).to_have_attribute("data-state", "finished", timeout=DEADLINE_MS)
    walk.see(walk.page.locator("[data-slot=headline]").first, re.compile(r"\w"))
    for path in ("published-proxy", "published-dnat"):
        walk.see(walk.page.locator(f'tr[data-series="bridge/{path}"]').first, re.compile(r"\d"))
    walk.picture("measurement")


def show_it_to_a_colleague(walk: Walk) -> None:
    """Show it to a colleague tomorrow."""
    walk.page.get_by_role("region", name="Running").get_by_role("link").first.click()
    walk.wait_until_running()
    walk.open_view("Report")
    walk.press("Save report")
    walk.page.wait_for_url("**/reports/*/")
    with walk.page.expect_download() as download:
        walk.page.get_by_role("link", name="HTML", exact=True).click()
    assert download.value.suggested_filename.endswith(".html")
    walk.see(walk.page.get_by_role("navigation", name="Export"), "HTML")


@dataclass(frozen=True)
class Task:
    """A task with its limit. ``prepared`` runs before it begins."""

    do: Callable[[Walk], None]
    limit_s: float
    prepared: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """The task in words."""
        return self.do.__doc__ or ""


TASKS = (
    Task(host_or_bridge, 60),
    Task(why_publish_is_ignored, 30),
    Task(who_holds_port_80, 20, ("host",)),
    Task(cost_of_localhost, 60),
    Task(show_it_to_a_colleague, 40, ("host", "bridge")),
)


def perform(task: Task, walk: Walk, server: Server) -> float:
    """Does a task from the start page; returns the seconds from there to its answer."""
    walk.page.set_default_timeout(DEADLINE_MS)
    walk.page.goto(server.url)
    walk.step("The start page")
    started = time.monotonic()
    task.do(walk)
    return time.monotonic() - started


def _do_all(
    browser: Browser, server: Server, film: Path | None, video: Path | None, pictures: Path | None
) -> list[float]:
    seconds = []
    for number, task in enumerate(TASKS, start=1):
        if task.prepared:
            server.launch(modes=list(task.prepared), publish="8080:80")
        folder = film / f"{number}-{task.do.__name__}" if film is not None else None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        context = browser.new_context(viewport=VIEWPORT, record_video_dir=video)
        context.add_cookies([{"name": n, "value": v, "url": server.url} for n, v in server.cookies().items()])
        seconds.append(perform(task, Walk(context.new_page(), folder, pictures), server))
        context.close()
        sys.stdout.write(f"{seconds[-1]:5.1f} s of {task.limit_s:g} s  {task.question}\n")
        server.forget_everything()
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Does all tasks; 0 if each stayed within its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slow", type=float, default=0.0, help="milliseconds before each action")
    parser.add_argument("--film", type=Path, help="folder for numbered pictures of the steps")
    parser.add_argument("--video", type=Path, help="folder for videos")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures of the documents")
    options = parser.parse_args(arguments)
    expect.set_options(timeout=DEADLINE_MS)
    with tempfile.TemporaryDirectory(prefix="netmodes-tasks-") as temporary:
        folder = Path(temporary)
        (folder / "server").mkdir()
        share_lab_image(folder / "server")
        with private_engine(folder / "engine") as engine:
            server = Server(folder / "server", engine.endpoint)
            try:
                server.sign_in(server.start())
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(
                        executable_path=find_chromium(), args=["--no-sandbox"], slow_mo=options.slow
                    )
                    seconds = _do_all(browser, server, options.film, options.video, options.pictures)
                    browser.close()
            finally:
                server.interrupt()
    return 0 if all(taken <= task.limit_s for taken, task in zip(seconds, TASKS, strict=True)) else 1


if __name__ == "__main__":
    sys.exit(main())
