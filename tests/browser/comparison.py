"""Page object of the experiment page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.support.polling import until


@dataclass(frozen=True)
class Rect:
    """The position and size of an element on the screen."""

    left: float
    top: float
    right: float
    bottom: float

    def holds(self, other: Rect) -> bool:
        """Whether the other rectangle is inside this one."""
        return (
            self.left < other.left and self.top < other.top and self.right > other.right and self.bottom > other.bottom
        )

    def touches(self, x: float, y: float, slack: float = 3.0) -> bool:
        """Whether the point is inside the rectangle or on its edge."""
        return self.left - slack <= x <= self.right + slack and self.top - slack <= y <= self.bottom + slack


class ExperimentPage:
    """The page of one experiment in one browser."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def identity(self) -> str:
        """The experiment's id."""
        return self.page.url.partition("#")[0].partition("?")[0].rstrip("/").rsplit("/", 1)[-1]

    def wait_for(self, phase: str) -> None:
        """Waits until the page shows the experiment in this phase."""
        expect(self.page.locator("[data-slot=phase-badge]")).to_have_attribute("data-phase", phase)

    def wait_until_live(self) -> None:
        """Waits until the websocket has delivered its snapshot."""
        expect(self.page.locator("[data-connection]")).to_have_attribute("data-connection", "live")

    def press(self, button: str) -> None:
        """Presses a button next to the title."""
        self.page.locator(".actions").get_by_role("button", name=button, exact=True).click()

    def columns(self) -> list[str]:
        """The keys of the columns, in their order."""
        found: list[str] = self.page.locator("[data-heads] [data-column]").evaluate_all(
            "heads => heads.map(one => one.dataset.column)"
        )
        return found

    def head(self, column: str) -> Locator:
        """The mode and status at the head of a column."""
        return self.page.locator(f'[data-heads] [data-column="{column}"]')

    def cut_off_heads(self) -> list[str]:
        """The columns whose title reaches into the next column. Titles are long with RootlessKit."""
        found: list[str] = self.page.locator("[data-heads] [data-column]").evaluate_all(
            "heads => heads.filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText)"
        )
        return found

    def detail(self, column: str) -> Locator:
        """How the arm was launched, and its result."""
        return self.page.locator(f'[data-details] [data-column="{column}"]')

    def command(self, column: str) -> str:
        """The ``docker run`` line of a column."""
        return self.detail(column).locator("[data-slot=command]").inner_text().replace("\n", " ")

    def row(self, identity: str) -> Locator:
        """The row with this id, visible or hidden."""
        return self.page.locator(f'tr[data-row="{identity}"]')

    def cell(self, row: str, column: str) -> Locator:
        """The cell of a row in a column."""
        return self.row(row).locator(f'td[data-column="{column}"]')

    def text(self, row: str, column: str) -> str:
        """The text of a cell, even if the cell is hidden."""
        return self.cell(row, column).text_content() or ""

    def shown_rows(self) -> list[str]:
        """The ids of the visible rows."""
        found: list[str] = self.page.locator("tr[data-row]").evaluate_all(
            "rows => rows.filter(one => one.checkVisibility()).map(one => one.dataset.row)"
        )
        return found

    def happened(self, text: str) -> Locator:
        """The lines of the timeline that contain this text."""
        return self.page.locator(".log li", has_text=text)

    def box(self, identity: str) -> Rect:
        """The position and size of a box of the diagram."""
        found: Any = self.page.locator(f'svg.picture.wide .box[data-id="{identity}"] > rect').evaluate(
            "one => { const r = one.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; }"
        )
        return Rect(*found)

    def edges(self, kind: str) -> list[list[list[float]]]:
        """The start and end of each edge of a kind on the screen: ``[[x, y], [x, y]]``."""
        found: list[list[list[float]]] = self.page.locator(f"svg.picture.wide .edge.{kind} path").evaluate_all(
            """paths => paths.map(path => {
                const matrix = path.getScreenCTM();
                return [0, path.getTotalLength()].map(at => {
                    const point = path.getPointAtLength(at).matrixTransform(matrix);
                    return [point.x, point.y];
                });
            })"""
        )
        return found

    def open_panel(self, name: str) -> None:
        """Opens the view Try or Inspect."""
        self.page.locator(f'.tabs [data-view="{name}"]').click()
        expect(self.page.locator(f"#{name}")).to_be_visible()


def scrolls_sideways(page: Page) -> bool:
    """Whether the page stays wider than the window. Charts adapt a moment after the window."""

    def fits() -> bool:
        return bool(page.evaluate("document.scrollingElement.scrollWidth <= document.scrollingElement.clientWidth"))

    try:
        until(fits)
    except AssertionError:
        return True
    return False
