"""Keyboard navigation."""

from __future__ import annotations

from playwright.sync_api import Page


def walk_to(page: Page, name: str) -> list[str]:
    """Presses Tab until the control with that name has the focus. Returns the names of the controls passed; each must
    show its focus."""
    seen: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
                const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
                return {
                    name: (one.innerText || one.getAttribute("aria-label") || one.id || one.tagName).trim(),
                    marked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
                    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
                };
            }"""
        )
        assert stop["marked"], f"{stop['name']} does not show that it has the focus"
        assert stop["inside"], f"{stop['name']} has the focus outside the window"
        seen.append(stop["name"])
        if stop["name"] == name:
            return seen
    raise AssertionError(f"Tab never reached {name}: {seen}")
