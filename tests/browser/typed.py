"""Types into a terminal on the page and reads its screen."""

from __future__ import annotations

import itertools
import re

from playwright.sync_api import Locator, Page, expect

from tests.support.polling import until

#: What a shell prints while a container is still stopping, or does not serve yet.
NOT_YET = re.compile(
    "is already in use|removal of container|ould not connect|Failed to connect|Empty reply|Connection reset"
)
_numbers = itertools.count(101)


def rows(page: Page) -> Locator:
    """The lines that the terminal shows."""
    return page.locator(".xterm-rows")


def is_live(page: Page) -> None:
    """Waits until the terminal's shell runs."""
    expect(page.locator("[data-slot=terminal-state]")).to_have_attribute("data-connection", "live")


def type_line(page: Page, line: str) -> None:
    """Types a line with the keyboard."""
    page.locator(".xterm-helper-textarea").focus()
    page.keyboard.type(line)
    page.keyboard.press("Enter")


def begin_line(page: Page, line: str) -> int:
    """Types a line on an empty screen. Returns the number for ``end_line``."""
    number = next(_numbers)
    type_line(page, f"clear; {line}; echo over-$(({number}))")
    return number


def end_line(page: Page, number: int) -> str:
    """Waits for the end of the line and returns its output on the screen. A terminal scrolled out of view draws
    nothing until it is visible again."""

    def is_over() -> bool:
        page.locator(".xterm-screen").scroll_into_view_if_needed()
        return f"over-{number}" in rows(page).inner_text()

    until(is_over, 30)
    return rows(page).inner_text()


def run_line(page: Page, line: str) -> str:
    """Types a line, waits for its end and returns its output."""
    return end_line(page, begin_line(page, line))
