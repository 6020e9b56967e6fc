"""The browser of the tests."""

from __future__ import annotations

import shutil

#: The first is Chromium without a user interface, in which a page takes a third of the processor time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]


def find_chromium() -> str:
    """The path of the browser; AssertionError if none is installed."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path is not None, f"none of {', '.join(NAMES)} is on PATH: apt-get install {NAMES[0]}"
    return path
