"""A workshop in the browser, and a shell on the private host."""

from __future__ import annotations

import shlex

from playwright.sync_api import Locator, Page, expect

from dashboard.core.workshops.model import Step
from tests.browser.visitor import wait_for_script
from tests.support.private_engine import PrivateEngine

#: Steps whose automatic checks hold from the start: only the button Check completes them.
HELD_FROM_THE_START = {"prepare", "interfaces", "process"}


class StepPage:
    """The page of a step."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def slug(self) -> str:
        """The slug of the step."""
        return self.page.url.rstrip("/").rsplit("/", 1)[-1]

    @property
    def advice(self) -> Locator:
        """The advice for a common mistake."""
        return self.page.locator("#advice")

    def findings(self) -> list[str]:
        """The texts of the findings, one per row."""
        return self.page.locator("table.findings tbody tr").all_inner_texts()

    def predict(self, choice: str) -> None:
        """Chooses an answer by its text. Before the scripts run, the browser would load the page for each form."""
        wait_for_script(self.page)
        self.page.get_by_role("radio", name=choice, exact=True).check()
        self.page.get_by_role("button", name="Submit prediction").click()
        expect(self.page.get_by_text(f"Your prediction: {choice}")).to_be_visible()

    def open_commands(self) -> int:
        """Opens folded commands; returns the number of buttons."""
        folded = self.page.locator("details.folded > summary")
        if folded.count():
            # Such a step asks no question, whose answer also checks: it completes by itself after a failed check.
            with self.page.expect_response("**/check/"):
                folded.click()
        return self.page.locator('[data-act="run"]').count()

    def press(self, number: int) -> None:
        """Presses the button next to a command."""
        self.page.locator('[data-act="run"]').nth(number).get_by_role("button").click()

    def wait_for_outcome(self, number: int) -> None:
        """Waits until a command has printed output or an error."""
        outcome = self.page.locator(f'[data-outcome="{number}"]')
        expect(outcome.locator("pre, .notice").first).to_be_attached()

    def press_commands(self) -> None:
        """Presses the buttons of all commands in order."""
        for number in range(self.open_commands()):
            self.press(number)
            self.wait_for_outcome(number)

    def check(self) -> None:
        """Presses Check."""
        self.page.locator('[data-act="check"] button').click()

    def complete(self, step: Step) -> None:
        """Presses Check in a step that does not complete by itself. In other steps the button disappears, perhaps
        between a look at the page and the press, and a check before the programs listen would count as failed."""
        if not step.checks or step.slug in HELD_FROM_THE_START:
            self.check()

    def is_done(self) -> bool:
        """Whether the page shows the step as done."""
        return self.page.locator("[data-step]").get_attribute("data-stage") == "done"

    def wait_until_done(self) -> None:
        """Waits until the step is done."""
        expect(self.page.locator("[data-step]")).to_have_attribute("data-stage", "done")

    def shown_truth(self) -> str:
        """The answer shown after the prediction."""
        return self.page.locator(".truth dd").nth(1).inner_text()

    def go_on(self) -> None:
        """Opens the next step, or the result, and waits for the page to load."""
        with self.page.expect_navigation(wait_until="load"):
            self.page.locator("a.primary-link").click()


class Shell:
    """A shell on the private host, independent of Netmodes."""

    def __init__(self, host: PrivateEngine) -> None:
        self._host = host

    def type(self, line: str) -> str:
        """Runs a line in a shell, so pipes work. Returns stdout and stderr, for every exit code."""
        words = ["sh", "-c", line] if "|" in line else shlex.split(line)
        words = ["env", f"DOCKER_HOST={self._host.endpoint}", *words]
        done = self._host.try_on_machine(*words)
        return done.stdout + done.stderr

    def leave_nothing(self, *steps: Step) -> None:
        """Removes what the steps create; needed after a failed test."""
        names = {command.action.run.name for step in steps for command in step.run if hasattr(command.action, "run")}
        self.type(f"docker rm -f {' '.join(sorted(names))}")
        for network in ("lab", "market"):
            self.type(f"docker network rm {network}")
