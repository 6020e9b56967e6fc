"""axe-core in a page, in both themes, in a wide window and on a small phone."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.comparison import scrolls_sideways

RUN = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.map(
    found => `${found.id}: ${found.help}: ${found.nodes.map(node => node.target.join(" ")).join(", ")}`)"""
WIDTHS = (1280, 320)


@cache
def source() -> str:
    """axe-core, from where ``./netmodes test`` put it."""
    file = Path(os.environ.get("NETMODES_NODE_MODULES", ""), "axe-core", "axe.min.js")
    assert file.is_file(), "axe-core is not there: ./netmodes test installs it and sets NETMODES_NODE_MODULES"
    return file.read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """What axe finds, and whether the page scrolls sideways.

    The browser's protocol puts axe into the page, so that the page keeps its policy as it is.
    """
    page.evaluate(f"() => {{ {source()} }}")
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if scrolls_sideways(page):
            found.append(f"{page.url} at {width} px: scrolls sideways")
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            found += [f"{page.url} {theme} at {width} px: {one}" for one in page.evaluate(RUN)]
    return found
