"""Runs axe-core on a page in both themes, in a wide window and at the width of a small phone."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

from tests.browser.comparison import scrolls_sideways

Theme = Literal["light", "dark"]
#: A window width, a theme, and the only rule to check (None: all rules).
View = tuple[int, Theme, str | None]
RUN = """async rule => {
    // axe would first load media files for one rule about audio and video, which no page has.
    const options = {resultTypes: ["violations"], preload: false};
    // Contrast is judged after transitions have ended.
    const finite = document.getAnimations().filter(
        (animation) => animation.playState === "running" && animation.effect.getComputedTiming().endTime < Infinity);
    await Promise.allSettled(finite.map((animation) => animation.finished));
    if (rule) options.runOnly = {type: "rule", values: [rule]};
    const {violations, passes, incomplete} = await axe.run(document, options);
    if (violations.length + passes.length + incomplete.length === 0) return ["axe checked nothing"];
    return violations.map(({id, help, nodes}) =>
        `${id}: ${help}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
}"""
#: Every width and every theme once.
VIEWS: tuple[View, ...] = ((1280, "light", None), (320, "dark", None))
#: Also the other theme at each width. A theme changes colours only, so only contrast is checked again.
ALL_VIEWS: tuple[View, ...] = (*VIEWS, (1280, "dark", "color-contrast"), (320, "light", "color-contrast"))


@cache
def source() -> str:
    """The source code of axe-core. ``./netmodes test`` installs it."""
    file = Path(os.environ.get("NETMODES_NODE_MODULES", ""), "axe-core", "axe.min.js")
    assert file.is_file(), "axe-core is missing: ./netmodes test installs it and sets NETMODES_NODE_MODULES"
    return file.read_text(encoding="utf-8")


def violations(page: Page, views: tuple[View, ...] = VIEWS) -> list[str]:
    """The violations that axe finds in these views, and whether the page scrolls sideways.

    axe is loaded over the browser's debugging protocol, which the page's content security policy does not restrict.
    """
    page.evaluate(f"() => {{ {source()} }}")
    found = []
    for width, theme, rule in views:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        if scrolls_sideways(page):
            found.append(f"{page.url} at {width} px: scrolls sideways")
        found += [f"{page.url} {theme} at {width} px: {violation}" for violation in page.evaluate(RUN, rule)]
    return found
