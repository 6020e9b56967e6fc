"""Training sessions of version 0013, one closed and one open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.management.old_data.installation import Installation, post
from tests.management.old_data.recorded import CLOSED, CONSOLE, OPEN, RECORDED, recorded, table

ROW = "identity/netns/"
#: Texts of a session report that come from the workshop, which is edited between versions.
WORKSHOP_TEXTS = {"question", "text", "truth", "about", "words", "predicted", "sentence", "failing", "workshop_title"}


def facts(value: Any, without: set[str]) -> Any:
    """A JSON value without the members of these names."""
    if isinstance(value, list):
        return [facts(one, without) for one in value]
    if isinstance(value, Mapping):
        return {name: facts(one, without) for name, one in value.items() if name not in without}
    return value


def results(report: Any) -> Any:
    """A session report without the texts that come from the workshop, such as the titles of steps."""
    return {**facts(report, {*WORKSHOP_TEXTS, "title"}), "title": report["title"]}


def test_a_closed_session_has_the_same_results(old: Installation) -> None:
    session, before = CLOSED["session"], recorded("session-0013.json")
    for path in (f"/api/sessions/{session}/report", f"{CONSOLE}results/export.json"):
        after = old.open("owner", path).json
        assert after["schema"] == "session-report/1"
        assert results(after) == results(before)
    anonymous = old.open("owner", f"/api/sessions/{session}/report?anonymous=true").json
    assert (anonymous["anonymous"], anonymous["people"]) == (True, [])


@pytest.mark.parametrize("name", ["people", "steps"])
def test_the_tables_of_a_closed_session_are_the_same(old: Installation, name: str) -> None:
    texts = {"title", "question", "truth", "predicted", "last_failing_check", "choice_1", "choice_2", "choice_3"}
    before = table((RECORDED / f"session-{name}-0013.csv").read_text())
    after = table(old.open("owner", f"{CONSOLE}results/export.{name}.csv").body)
    assert [list(row) for row in after] == [list(row) for row in before]
    assert facts(after, texts) == facts(before, texts)


def test_the_steps_that_were_revealed_in_an_open_session_stay_revealed(old: Installation) -> None:
    steps = old.open("owner", f"/api/sessions/{OPEN['session']}/report").json["steps"]
    revealed = {step["slug"] for step in steps if step["revealed_at"]}
    assert revealed == {"prepare", "launch", "request", "interfaces", "process"}
    answered = {step["slug"]: [choice["count"] for choice in step["choices"]] for step in steps if step["answered"]}
    assert answered == {"process": [1, 1, 0], "stop": [1, 0]}
    state = old.receive("Eva", f"/ws/sessions/{OPEN['session']}/", "session")
    assert set(state["revealed"]) == revealed
    assert (state["step"], state["gate"], state["pace"]) == ("stop", "stop", "gated")
    assert (state["mirror"], state["pointer"], state["closed"], state["locked"]) == (True, ROW, False, False)


def test_a_revealed_step_takes_no_answer_and_the_gate_stays_closed(old: Installation) -> None:
    steps = f"/sessions/{OPEN['session']}/steps"
    browser = old.browser("Eva")
    assert browser.ask("GET", f"{steps}/launch/").status == 200
    assert post(browser, f"{steps}/launch/predict/", choice="0").status == 409
    old.open("Eva", f"{steps}/isolation/", 409)
