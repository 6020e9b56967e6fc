"""A user with a browser that records every error."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests.browser.comparison import ExperimentPage

DEADLINE_MS = 30_000
#: Reports what a page tried to do against its policy, independent of the browser's own messages.
REPORT_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI}`));"""

#: Resolves when the page's script has run, with all modules that it loads one after the other. The event "load" may
#: come earlier; then the browser itself follows links and sends forms.
SCRIPT_HAS_RUN = "() => import(document.querySelector('script[type=module][src]').src).then(() => true)"


@dataclass
class Visitor:
    """A user with a browser. ``expect`` takes a pattern for errors that belong to the test."""

    context: BrowserContext
    expected: list[re.Pattern[str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def expect(self, pattern: str) -> None:
        """Errors that match this pattern do not fail the test."""
        self.expected.append(re.compile(pattern))

    def open(self, url: str) -> Page:
        """Opens a new tab."""
        page = self.context.new_page()
        page.set_default_timeout(DEADLINE_MS)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.goto(url)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def unexpected(self) -> list[str]:
        """The errors, warnings and violations that the test did not expect."""
        return [problem for problem in self.problems if not any(pattern.search(problem) for pattern in self.expected)]


def wait_for_script(page: Page) -> None:
    """Waits until the scripts of an opened page handle its links and forms."""
    assert page.evaluate(SCRIPT_HAS_RUN)


def wait_for_next_frame(page: Page) -> None:
    """Waits until the page has drawn a whole frame, and so has handled all that came before."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


Visit = Callable[..., Visitor]
Show = Callable[..., ExperimentPage]
