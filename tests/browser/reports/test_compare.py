"""Several reports in a browser: imported, selected, compared, shown as a trend; axe finds nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboard.core.measurements.between_runs import DRIFT_SENTENCE
from dashboard.core.reports.model import ReportContent, canonical, frame
from tests.browser.axe import violations
from tests.browser.server import Server
from tests.browser.visitor import Visitor
from tests.support.reports import AT, make_content, make_run

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def week(number: int) -> ReportContent:
    """Weekly reports; the second on another kernel, the third on another processor."""
    content = make_content(4)
    environment = replace(
        content.environment,
        kernel="7.0.1" if number else content.environment.kernel,
        cpu_model="Xeon" if number == 2 else content.environment.cpu_model,
    )
    run = make_run(centers=(16.0 + number, 18.0 + 2 * number, 43.0 + 4 * number))
    run = replace(run, measurement=replace(run.measurement, environment=environment))
    return replace(
        content,
        title=f"Week {number + 1}",
        saved_at=AT + number * 7 * 86_400,
        measurements=(run,),
        environment=environment,
    )


def import_report(page: Page, server: Server, content: ReportContent, folder: Path) -> str:
    """Imports a report through the page and returns its address."""
    file = folder / "report.json"
    file.write_bytes(frame(canonical(content)))
    page.goto(f"{server.url}/reports/")
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", level=1, name=content.title)).to_be_visible()
    return page.url


@pytest.mark.slow
def test_reports_are_compared_and_shown_as_a_trend(server: Server, visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.open(f"{server.url}/reports/")
    addresses = [import_report(page, server, week(number), tmp_path) for number in range(3)]

    page.goto(f"{server.url}/reports/")
    for title in ("Week 3", "Week 1"):
        page.get_by_role("checkbox", name=f"Compare {title}").check()
    page.get_by_role("button", name="Compare selected").click()
    expect(page.get_by_text(DRIFT_SENTENCE).first).to_be_visible()
    row = page.locator('tr[data-series="bridge published-proxy tcp-rr 64B closed idle"]')
    expect(row).to_contain_text("slower")
    expect(row).to_contain_text("The processors differ (AMD EPYC 9B45; Xeon)")
    expect(row).to_contain_text("processor, kernel")
    expect(page.get_by_role("img", name=re.compile(r"docker-proxy.*95 % interval"))).to_have_count(1)
    assert violations(page) == []
    page.get_by_role("link", name="use B as baseline").click()
    expect(row).to_contain_text("faster")

    page.goto(addresses[0])
    page.get_by_role("link", name="Trend").click()
    expect(page.get_by_role("img", name=re.compile("Medians over time"))).to_be_visible()
    expect(page.locator("line.moment")).to_have_count(2)
    expect(page.get_by_text("kernel: 6.18.44 → 7.0.1")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="Compare the last two").click()
    expect(page.get_by_text("A and B: The processors differ")).to_be_visible()
    for address in addresses:  # other tests need an unchanged list
        page.goto(address)
        page.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_role("button", name="Undo")).to_be_visible()
