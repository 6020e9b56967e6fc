"""The replay of a class: what the slots hold at any moment is what was so then, and at the end what the report says."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import Any

import msgspec
from hypothesis import given

from dashboard.core.training.results.facts import Deed, SessionFacts
from dashboard.core.training.results.replay import Mirror, build_class_track
from dashboard.core.training.results.report import build_report
from tests.core.training_builders import CLASS, A, C, classes
from tests.core.workshops.test_progress import WORKSHOP


def track_of(
    facts: SessionFacts, *, anonymous: bool = False, mirrors: dict[str, Mirror] | None = None
) -> dict[str, Any]:
    """As a browser decodes it."""
    found: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(build_class_track(facts, WORKSHOP, mirrors or {}, anonymous=anonymous))
    )
    return found


def moments_of(track: dict[str, Any]) -> list[tuple[float, str, dict[str, Any]]]:
    """Time, text and all slots of each position."""
    slots: dict[str, Any] = {}
    found = []
    for ms, text, patch in zip(accumulate(track["times"]), track["texts"], track["patches"], strict=True):
        slots = {**slots, **dict(patch)}
        found.append((track["first_at"] + ms / 1000, text, slots))
    return found


@given(classes())
def test_the_end_is_what_the_report_says(facts: SessionFacts) -> None:
    moments, report = moments_of(track_of(facts)), build_report(facts, WORKSHOP)
    end = moments[-1][2]
    for who, person in enumerate(report.people):
        for number, cell in enumerate(person.cells):
            assert end.get(f"c{who}.{number}", ["locked", 0]) == [cell.state, cell.attempts]
        assert end[f"p{who}"][0] is (person.left_at == 0)
    assert end["head"]["closed"] is bool(facts.closed_at)
    times = [at for at, _text, _slots in moments]
    assert times == sorted(times)


@given(classes())
def test_at_every_moment_the_answers_are_those_that_had_arrived(facts: SessionFacts) -> None:
    predicted = [
        (one.at, who, one.step)
        for who, person in enumerate(facts.people)
        for one in person.deeds
        if one.kind == "predicted"
    ]
    revealed = facts.reveals()
    for at, _text, slots in moments_of(track_of(facts)):
        answers = slots.get("answers")
        slug = WORKSHOP.steps[slots["head"]["step"]].slug if "head" in slots else A
        if answers is None:
            continue
        assert WORKSHOP.steps[answers["step"]].slug == slug
        before = sum(1 for when, _who, step in predicted if step == slug and when < at - 0.001)
        until = sum(1 for when, _who, step in predicted if step == slug and when <= at + 0.001)
        assert before <= sum(answers["counts"]) == answers["answered"] <= until
        if answers["revealed"]:
            assert revealed[slug] <= at + 0.001
        else:
            assert (answers["truth"], answers["right"], answers["known"]) == ("", None, False)


def test_what_happened_is_told_in_sentences() -> None:
    texts = [text for _at, text, _slots in moments_of(track_of(CLASS)) if text]
    told = (
        "The session is made",
        "Ada joins",
        "Bob: not yet (A): check 0",
        "Bob unfolds a hint (A)",
        "Step 2: B",
        "Ada is done: A",
        "Ada expects: two (B)",
        "Bob raises a hand",
        "Bob asks: Why me, Bob?",
        "The answer is shown: B",
        "To all: Well done, Ada!",
        "Cleo leaves",
        "The session is closed",
    )
    assert [one for one in told if one not in texts] == []
    assert texts.index("Step 2: B") < texts.index("Ada expects: two (B)") < texts.index("The answer is shown: B")


def test_people_can_be_numbers() -> None:
    track = track_of(CLASS, anonymous=True)
    assert track["people"] == ["Person 1", "Person 2", "Person 3", "Person 4"]
    text = msgspec.json.encode(track).decode()
    for name in ("Ada", "Bob", "Cleo", "Dan", "participant-of", "Why me"):
        assert name not in text
    assert "To all: Well done, Person 1!" in track["texts"]


def test_the_instructor_s_doings_and_the_comparison_are_in_it() -> None:
    events = (
        Deed(1010, "timer", "", "1310.0"),
        Deed(1020, "locked", "", "True"),
        Deed(1030, "mirror", "", "x1"),
        Deed(1040, "pointer", "", "listeners/tcp :80/"),
        Deed(1050, "pace", "", "gated"),
        Deed(1050, "gate", "", C),
        Deed(1060, "mirror", "", "lost"),
        Deed(1070, "nonsense", "", ""),
        Deed(1080, "step", "", "a step that is gone"),
    )
    facts = replace(CLASS, events=(CLASS.events[0], *events, CLASS.events[-1]))
    track = track_of(facts, mirrors={"x1": Mirror("Side by side", b'{"v":1}')})
    found = {text: slots for _at, text, slots in moments_of(track)}
    assert found["A timer: 5 minutes"]["head"]["timer"] == 1310.0
    assert found["The step is locked"]["head"]["locked"] is True
    assert found["Shown to all: Side by side"]["mirror"] == {"track": 0, "pointer": ""}
    assert found["Pointed at: listeners tcp :80 "]["mirror"] == {"track": 0, "pointer": "listeners/tcp :80/"}
    assert found["Open up to: C"]["head"] == {**found["Open up to: C"]["head"], "pace": "gated", "gate": 2}
    assert found["Shown to all: lost"]["mirror"] is None
    assert track["mirrors"] == [{"title": "Side by side", "why": "", "track": {"v": 1}}]
