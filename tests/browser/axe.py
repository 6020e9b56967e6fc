"""axe-core in a page, in both themes, in a wide window and on a small phone."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

from tests.browser.comparison import scrolls_sideways

Theme = Literal["light", "dark"]
RUN = """async only => {
    const options = {resultTypes: ["violations"]};
    // Contrast is judged after transitions have ended.
    const finite = document.getAnimations().filter(
        (one) => one.playState === "running" && one.effect.getComputedTiming().endTime < Infinity);
    await Promise.allSettled(finite.map((one) => one.finished));
    if (only) options.runOnly = {type: "rule", values: [only]};
    const {violations, passes, incomplete} = await axe.run(document, options);
    if (violations.length + passes.length + incomplete.length === 0) return ["axe looked at nothing"];
    return violations.map(one => `${one.id}: ${one.help}: ${one.nodes.map(node => node.target.join(" ")).join(", ")}`);
}"""
#: A theme changes colours alone: each width is looked at whole once, and for contrast in the other theme too.
VIEWS: tuple[tuple[int, Theme, str | None], ...] = (
    (1280, "light", None),
    (1280, "dark", "color-contrast"),
    (320, "dark", None),
    (320, "light", "color-contrast"),
)


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
    for width, theme, only in VIEWS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        if scrolls_sideways(page):
            found.append(f"{page.url} at {width} px: scrolls sideways")
        found += [f"{page.url} {theme} at {width} px: {one}" for one in page.evaluate(RUN, only)]
    return found
