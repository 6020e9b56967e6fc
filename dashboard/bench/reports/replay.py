"""What a browser works while somebody drags the replay of a report: ten thousand entries, seven columns, any order.

It needs Chromium and Playwright, which the tests bring.
"""

from __future__ import annotations

import asyncio
import importlib
import shutil
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dashboard.bench.reports.synthetic_journal import busy_journal
from dashboard.bench.reports.synthetic_report import ENTRIES, make_journal, make_report
from dashboard.bench.statistics import Of, Promise, Result, compared, figure
from dashboard.core.experiments.journal import Entry
from dashboard.core.reports.replay.recording import build_track, encode_track
from dashboard.export.html import one_file
from dashboard.store.reports.reading import derive

FRAME = Promise(Of.VALUE, 1000 / 60)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]
#: Frames in one block, after which the slider that changes nothing has its turn.
BLOCK = 20
#: Entries of the busy experiment: what a jump costs does not depend on how many there are.
BUSY = 2_000
KB = 1000
#: Moves a slider once in each frame, to any of its places.
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


class NoBrowserError(RuntimeError):
    """There is nothing to measure with."""


async def _drag(page: Any, protocol: Any, selector: str, seed: int) -> float:
    """Milliseconds that the page's main thread worked per frame (its CPU clock)."""

    async def worked() -> float:
        metrics = (await protocol.send("Performance.getMetrics"))["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    before = await worked()
    await page.evaluate(DRAG, [selector, BLOCK, seed])
    return (await worked() - before) / BLOCK * 1e3


async def drag(file: Path, blocks: int) -> list[tuple[float, float]]:
    """Pairs of blocks: the replay, and a slider in the same page that changes nothing."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    try:
        playwright = importlib.import_module("playwright.async_api")
    except ImportError:
        playwright = None
    if path is None or playwright is None:
        raise NoBrowserError("it needs Chromium and Playwright: ./netmodes test installs both")
    async with playwright.async_playwright() as running:
        browser = await running.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1400, "height": 900})
        await page.goto(file.as_uri())
        await page.click("[data-replay-open]")
        await page.wait_for_selector("[data-replay]:not([hidden])")
        await page.evaluate(BARE)
        # Both the table's end and the picture are in sight: the most that there can be to draw.
        await page.evaluate("document.getElementById('picture-title').scrollIntoView({ block: 'center' })")
        protocol = await page.context.new_cdp_session(page)
        await protocol.send("Performance.enable", {"timeDomain": "threadTicks"})
        await _drag(page, protocol, "[data-replay-range]", 1)
        pairs = []
        for number in range(blocks):
            ours = await _drag(page, protocol, "[data-replay-range]", number + 2)
            pairs.append((ours, await _drag(page, protocol, "#bare", number + 2)))
        await browser.close()
    return pairs


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    blocks, rounds = (6, 2) if quick else (20, 5)
    pairs, took, sizes = {}, {}, {}
    for name, journal in (("large", make_journal(ENTRIES)), ("busy", busy_journal(BUSY))):
        say(f"replay: the {name} experiment, {len(journal)} entries, {blocks} times {BLOCK} frames")
        file = folder / f"{name}.html"
        took[name], sizes[name] = await asyncio.to_thread(_write, file, journal, rounds)
        pairs[name] = await drag(file, blocks)
    reference = "a slider that changes nothing, in turn"
    return Result(
        "replay",
        f"Replay: dragging over {ENTRIES} entries in any order",
        "the main thread works at most 16.7 ms per frame (median and p95): room for 60 frames a second",
        (
            compared("work per frame", "ms", pairs["large"], reference, promise=FRAME),
            compared("work per frame", "ms", pairs["large"], reference, percent=95, promise=FRAME),
            compared("work per frame, busy experiment", "ms", pairs["busy"], reference),
            compared("work per frame, busy experiment", "ms", pairs["busy"], reference, percent=95),
            figure(f"making a track of {ENTRIES} entries, CPU", "s", took["large"]),
            figure(f"making a track of {BUSY} entries, busy, CPU", "s", took["busy"]),
            figure("the track, deflated", "KB", [sizes["large"]]),
            figure("the busy track, deflated", "KB", [sizes["busy"]]),
        ),
        (
            f"Each sample is the mean of {BLOCK} frames, each with a random jump; table and picture are in sight.",
            "Busy: seven columns, another port or address in each entry, so that a jump changes most of what is shown.",
            "Chromium without a display draws in software, in other threads; their work is not counted.",
        ),
    )


def _write(file: Path, journal: tuple[Entry, ...], rounds: int) -> tuple[list[float], float]:
    """The report as a file; seconds of CPU to make its track, each time anew, and its size in KB."""
    content = make_report(rounds=2, requests=10)
    if content.experiment is not None:
        content = replace(content, experiment=replace(content.experiment, journal=journal))
    took = []
    for _ in range(rounds):
        began = time.thread_time()
        encoded = encode_track(build_track(journal))
        took.append(time.thread_time() - began)
    file.write_bytes(one_file(content, derive(content).view, encoded))
    return took, len(zlib.compress(encoded, 9)) / KB
