"""Keyboard navigation: only keys are pressed, every stop shows that it has the focus, and no action loses it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Error, Page

from tests.support.polling import until

MAX_STOPS = 150
STOP = """() => {
    const one = document.activeElement, style = getComputedStyle(one), box = one.getClientRects()[0];
    if (one === document.body || !box) return {name: "", lost: true};
    const left = Math.max(box.left, 0), right = Math.min(box.right, innerWidth);
    const top = Math.max(box.top, 0), bottom = Math.min(box.bottom, innerHeight);
    const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    const label = one.labels?.[0]?.innerText;
    return {
        name: (one.getAttribute("aria-label") || label || one.innerText || one.id || one.tagName).trim(),
        lost: false,
        marked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
        uncovered: seen !== null && (one.contains(seen) || seen.contains(one)),
        early: one.tabIndex > 0,
    };
}"""


def focus_is_kept(page: Page) -> None:
    """Waits until an element of the page has the focus: after an action, something else than the whole page."""

    def is_kept() -> bool:
        try:
            return not page.evaluate(STOP)["lost"]
        except Error:  # another page is loading
            return False

    until(is_kept)


def check_stop(stop: dict[str, Any]) -> None:
    """Checks that the control with the focus shows this, inside the window and not under a bar that stays in view."""
    assert stop["marked"], f"{stop['name']} does not show that it has the focus"
    assert stop["inside"], f"{stop['name']} has the focus outside the window"
    assert stop["uncovered"], f"{stop['name']} has the focus and something covers it"
    assert not stop["early"], f"{stop['name']} has a positive tabindex"


def walk_to(page: Page, name: str, *, key: str = "Tab") -> list[str]:
    """Presses Tab (or ``Shift+Tab``) until a control has the focus that has the name, or a name with it as its first
    line. Returns the names of the controls passed; each must show its focus."""
    seen: list[str] = []
    for _ in range(MAX_STOPS):
        page.keyboard.press(key)
        stop = page.evaluate(STOP)
        if stop["lost"]:  # the end of the document: the browser's own controls follow
            continue
        check_stop(stop)
        seen.append(stop["name"])
        if stop["name"].partition("\n")[0].strip() == name:
            return seen
    raise AssertionError(f"{key} never reached {name}: {seen}")


def act(page: Page, name: str, *, key: str = "Tab", press: str = "Enter") -> None:
    """Walks to a control and presses a key there. The focus must not be lost."""
    walk_to(page, name, key=key)
    page.keyboard.press(press)
    focus_is_kept(page)
