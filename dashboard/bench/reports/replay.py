"""``replay``: measures a browser's work while the slider of a report's replay is dragged.

There are two reports: one has ten thousand entries, the other is of a busy experiment with seven columns. Needs
Chromium and Playwright, which ``./netmodes test`` installs.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.browser import chromium
from dashboard.bench.reports.synthetic_journal import busy_journal
from dashboard.bench.reports.synthetic_report import ENTRIES, make_journal, make_report
from dashboard.bench.statistics import Figure, Result, at_most, percentiles_compared
from dashboard.core.experiments.journal import Entry
from dashboard.export.html import render_file
from dashboard.store.reports.reading import derive

FRAME = at_most(1000 / 60)
REFERENCE = "a slider that changes nothing, in turn"
#: Frames in one block; then the slider that changes nothing has its turn.
BLOCK = 20
#: Entries of the busy experiment: the cost of a jump does not depend on their number.
BUSY = 2_000
#: Moves a slider once in each frame, to a pseudorandom place.
DRAG = """([selector, frames, seed]) => new Promise((done) => {
  const range = document.querySelector(selector);
  let left = frames;
  let place = seed;
  function frame() {
    if (left === 0) return done(performance.now());
    left -= 1;
    place = (place * 1103515245 + 12345) % 2147483648;
    range.value = String(place % Number(range.max));
    range.dispatchEvent(new Event("input", { bubbles: true }));
    requestAnimationFrame(frame);
  }
  requestAnimationFrame(frame);
})"""
BARE = """document.querySelector("[data-replay]").insertAdjacentHTML(
  "beforeend", '<input type="range" id="bare" max="9999" aria-label="bare">')"""


async def _drag(page: Any, protocol: Any, selector: str, seed: int) -> float:
    """Drags the slider that matches the CSS ``selector`` for ``BLOCK`` frames. Returns the milliseconds of processor
    time that the page's main thread used per frame. ``protocol`` is a session of the DevTools protocol with the
    page."""

    async def worked() -> float:
        metrics = (await protocol.send("Performance.getMetrics"))["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))

    before = await worked()
    await page.evaluate(DRAG, [selector, BLOCK, seed])
    return (await worked() - before) / BLOCK * 1e3


async def drag(file: Path, blocks: int) -> list[tuple[float, float]]:
    """Measures a browser's work while the slider of a report's replay is dragged. For comparison, also drags a slider
    that changes nothing. Drags both ``blocks`` times, alternately. Returns pairs of milliseconds per frame: of the
    replay's slider, and of the other one."""
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1400, "height": 900})
        await page.goto(file.as_uri())
        await page.click("[data-replay-open]")
        await page.wait_for_selector("[data-replay]:not([hidden])")
        await page.evaluate(BARE)
        # Both the end of the table and the picture are visible: the most that there can be to draw.
        await page.evaluate("document.getElementById('picture-title').scrollIntoView({ block: 'center' })")
        protocol = await page.context.new_cdp_session(page)
        await protocol.send("Performance.enable", {"timeDomain": "threadTicks"})
        await _drag(page, protocol, "[data-replay-range]", 1)
        pairs = []
        for seed in range(2, blocks + 2):
            ours = await _drag(page, protocol, "[data-replay-range]", seed)
            pairs.append((ours, await _drag(page, protocol, "#bare", seed)))
    return pairs


def write_report(file: Path, journal: tuple[Entry, ...]) -> None:
    """Writes a report with the journal as an HTML file."""
    content = make_report(entries=2, rounds=2, requests=10)
    if content.experiment is not None:
        content = replace(content, experiment=replace(content.experiment, journal=journal))
    file.write_bytes(render_file(content, derive(content)))


async def benchmark(run: BenchmarkRun) -> Result:
    """Drags the slider of two reports: one with many entries, and one of a busy experiment. Only the first one has
    promises."""
    blocks = 6 if run.quick else 20
    frames: list[Figure] = []
    for name, journal in (("", make_journal(ENTRIES)), ("busy", busy_journal(BUSY))):
        run.say(f"the {name or 'large'} experiment, {len(journal)} entries, {blocks} times {BLOCK} frames")
        file = run.folder / f"{name or 'large'}.html"
        await asyncio.to_thread(write_report, file, journal)
        pairs = await drag(file, blocks)
        promise = None if name else FRAME
        title = f"work per frame{', busy experiment' if name else ''}"
        frames += percentiles_compared(title, "ms", pairs, REFERENCE, {50: promise, 95: promise})
    return Result(
        "replay",
        f"Replay: dragging over {ENTRIES} entries in any order",
        "the main thread works at most 16.7 ms per frame (median and p95): room for 60 frames a second",
        tuple(frames),
        (
            f"Each sample is the mean of {BLOCK} frames, each with a random jump; table and picture are visible.",
            "Busy: seven columns, another port or address in each entry, so that a jump changes most of what is shown.",
            "Chromium without a display draws in software, in other threads; their work is not counted.",
        ),
    )
