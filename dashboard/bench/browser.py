"""Chromium for benchmarks, driven with Playwright. ``./netmodes test`` installs both."""

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.processes import CHROMIUM, HEADLESS, find_program

ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]
MISSING = "Chromium or Playwright is missing: ./netmodes test installs both"


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """Context manager that runs Chromium. Yields a browser of Playwright's asynchronous API. Raises BenchmarkError if
    Chromium or Playwright is missing."""
    program = find_program(*CHROMIUM, HEADLESS)
    try:
        playwright = importlib.import_module("playwright.async_api")
    except ImportError:
        playwright = None
    if program is None or playwright is None:
        raise BenchmarkError(MISSING)
    async with playwright.async_playwright() as running:
        browser = await running.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()
