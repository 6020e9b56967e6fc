"""Runs axe-core on a page in both themes, in a wide window and at the width of a small phone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

from tests.browser.comparison import scrolls_sideways

Theme = Literal["light", "dark"]
#: Which rules are checked. Contrast takes three quarters of the time.
Rules = Literal["all", "contrast", "without contrast"]
#: A window width, a theme, and the rules.
View = tuple[int, Theme, Rules]
RUN = """async ([rules, excluded]) => {
    // axe would first load media files for one rule about audio and video, which no page has.
    const options = {resultTypes: ["violations"], preload: false};
    // Contrast is judged after transitions have ended.
    const finite = document.getAnimations().filter(
        (animation) => animation.playState === "running" && animation.effect.getComputedTiming().endTime < Infinity);
    await Promise.allSettled(finite.map((animation) => animation.finished));
    if (rules === "contrast") options.runOnly = {type: "rule", values: ["color-contrast"]};
    if (rules === "without contrast") options.rules = {"color-contrast": {enabled: false}};
    const checked = {include: [["html"]], exclude: document.querySelector(excluded) ? [[excluded]] : []};
    const {violations, passes, incomplete} = await axe.run(checked, options);
    if (violations.length + passes.length + incomplete.length === 0) return ["axe checked nothing"];
    return violations.map(({id, help, nodes}) =>
        `${id}: ${help}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
}"""
#: Every width and every theme once.
VIEWS: tuple[View, ...] = ((1280, "light", "all"), (320, "dark", "all"))
#: Also the other theme at each width. A theme changes colours only, so only contrast is checked again.
ALL_VIEWS: tuple[View, ...] = (*VIEWS, (1280, "dark", "contrast"), (320, "light", "contrast"))
#: What the gate checks instead of ``VIEWS`` and ``ALL_VIEWS``. ``tests/js/contrast.test.mjs`` computes the contrast of
#: all colors in both themes.
QUICK_VIEWS: tuple[View, ...] = ((1280, "light", "without contrast"),)
ALL_QUICK_VIEWS: tuple[View, ...] = ((1280, "light", "all"), (320, "dark", "without contrast"))
#: What the gate leaves out: rows that have the same structure as the rows above.
SIMILAR = "tbody > tr:nth-of-type(n+7)"


@dataclass
class Extent:
    """How much of each page is checked; ``tests/browser/conftest.py`` sets it."""

    is_whole: bool = True


EXTENT = Extent()


@cache
def source() -> str:
    """The source code of axe-core. ``./netmodes test`` installs it."""
    file = Path(os.environ.get("NETMODES_NODE_MODULES", ""), "axe-core", "axe.min.js")
    assert file.is_file(), "axe-core is missing: ./netmodes test installs it and sets NETMODES_NODE_MODULES"
    return file.read_text(encoding="utf-8")


def violations(page: Page, views: tuple[View, ...] = VIEWS) -> list[str]:
    """The violations that axe finds in these views, and whether the page scrolls sideways at 320 px and at their
    widths. In the gate a part of each page is checked (``QUICK_VIEWS``, ``SIMILAR``). The window then has the size and
    the theme that it had before.

    axe is loaded over the browser's debugging protocol, which the page's content security policy does not restrict.
    """
    page.wait_for_load_state("load")  # after a click on a link, the page may not be complete
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(f"() => {{ {source()} }}")
    if not EXTENT.is_whole:
        views = QUICK_VIEWS if views is VIEWS else ALL_QUICK_VIEWS
    size = page.viewport_size
    was_dark = page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
    try:
        return _check(page, views)
    finally:
        if size is not None:
            page.set_viewport_size(size)
        page.emulate_media(color_scheme="dark" if was_dark else "light")


def violations_of_another_state(page: Page) -> list[str]:
    """As ``violations``, of a page that the gate checks in another state: the gate leaves it out."""
    return violations(page) if EXTENT.is_whole else []


def _check(page: Page, views: tuple[View, ...]) -> list[str]:
    found = []
    for width in {320, *(width for width, _, _ in views)}:
        page.set_viewport_size({"width": width, "height": 900})
        if scrolls_sideways(page):
            found.append(f"{page.url} at {width} px: scrolls sideways")
    for width, theme, rules in views:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        checked = page.evaluate(RUN, [rules, ":not(*)" if EXTENT.is_whole else SIMILAR])
        found += [f"{page.url} {theme} at {width} px: {violation}" for violation in checked]
    return found
