"""The replay of a session: its slots at any time; its end agrees with the report."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import Any

import msgspec
import pytest
from hypothesis import given

from dashboard.core.training.results import replay as session_replay
from dashboard.core.training.results.facts import SessionFacts
from dashboard.core.training.results.replay import MirroredExperiment, build_replay
from dashboard.core.training.results.report import build_report
from dashboard.core.workshops.progress import Event
from tests.core.training_builders import END, SESSION, START, A, B, C, facts_of, person, record, sessions
from tests.core.workshops.test_progress import WORKSHOP


def track_of(
    facts: SessionFacts, *, anonymous: bool = False, mirrors: dict[str, MirroredExperiment] | None = None
) -> dict[str, Any]:
    """The track, decoded as in a browser."""
    found: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(build_replay(facts, WORKSHOP, mirrors or {}, anonymous=anonymous))
    )
    return found


def entries_of(track: dict[str, Any]) -> list[tuple[float, str, dict[str, Any]]]:
    """The time, the text and all slots of each position."""
    slots: dict[str, Any] = {}
    found = []
    for ms, text, patch in zip(accumulate(track["times"]), track["texts"], track["patches"], strict=True):
        slots = {**slots, **dict(patch)}
        found.append((track["first_at"] + ms / 1000, text, slots))
    return found


@given(sessions())
def test_the_end_of_the_replay_agrees_with_the_report(facts: SessionFacts) -> None:
    entries, report = entries_of(track_of(facts)), build_report(facts, WORKSHOP)
    end = entries[-1][2]
    for who, one in enumerate(report.people):
        for number, cell in enumerate(one.cells):
            assert end.get(f"c{who}.{number}", ["locked", 0]) == [cell.state, cell.attempts]
        assert end[f"p{who}"][0] is (one.left_at == 0)
    assert end["head"]["closed"] is bool(facts.closed_at)
    times = [at for at, _text, _slots in entries]
    assert times == sorted(times)


@given(sessions())
def test_the_answers_at_any_time_are_those_given_until_then(facts: SessionFacts) -> None:
    predicted = [
        (one.at, who, one.step)
        for who, person in enumerate(facts.participants)
        for one in person.events
        if one.kind == "predicted"
    ]
    revealed = facts.reveals()
    for at, _text, slots in entries_of(track_of(facts)):
        answers = slots.get("answers")
        slug = WORKSHOP.steps[slots["head"]["step"]].slug if "head" in slots else A
        if answers is None:
            continue
        assert WORKSHOP.steps[answers["step"]].slug == slug
        counted = [when for when, _who, step in predicted if step == slug and when <= revealed.get(slug, END)]
        before = sum(1 for when in counted if when < at - 0.001)
        until = sum(1 for when in counted if when <= at + 0.001)
        assert before <= sum(answers["counts"]) == answers["answered"] <= until
        if answers["revealed"]:
            assert revealed[slug] <= at + 0.001
        else:
            assert (answers["truth"], answers["right"], answers["known"]) == ("", None, False)


def test_events_are_described_in_sentences() -> None:
    texts = [text for _at, text, _slots in entries_of(track_of(SESSION)) if text]
    told = (
        "Session created",
        "Ada joins",
        "Bob: failed check (A): check 0",
        "Bob opens a hint (A)",
        "Step 2: B",
        "Ada is done: A",
        "Ada predicts: two (B)",
        "Bob raises a hand",
        "Bob asks: Why me, Bob?",
        "Answer revealed: B",
        "To all: Well done, Ada!",
        "Cleo leaves",
        "Session closed",
    )
    assert [one for one in told if one not in texts] == []
    assert texts.index("Step 2: B") < texts.index("Ada predicts: two (B)") < texts.index("Answer revealed: B")


def test_an_anonymous_replay_numbers_the_participants() -> None:
    track = track_of(SESSION, anonymous=True)
    assert track["people"] == ["Person 1", "Person 2", "Person 3", "Person 4"]
    text = msgspec.json.encode(track).decode()
    for name in ("Ada", "Bob", "Cleo", "Dan", "participant-of", "Why me"):
        assert name not in text
    assert "To all: Well done, Person 1!" in track["texts"]


def test_actions_of_the_instructor_and_the_comparison_are_included() -> None:
    events = (
        Event(1010, "timer", "", "1310.0"),
        Event(1020, "locked", "", "True"),
        Event(1030, "mirror", "", "x1"),
        Event(1040, "pointer", "", "listeners/tcp :80/"),
        Event(1050, "pace", "", "gated"),
        Event(1050, "gate", "", C),
        Event(1060, "mirror", "", "lost"),
        Event(1070, "nonsense", "", ""),
        Event(1080, "step", "", "a step that is gone"),
    )
    facts = replace(SESSION, events=(SESSION.events[0], *events, SESSION.events[-1]))
    track = track_of(facts, mirrors={"x1": MirroredExperiment("Side by side", b'{"v":1}')})
    found = {text: slots for _at, text, slots in entries_of(track)}
    assert found["Timer: 5 minutes"]["head"]["timer"] == 1310.0
    assert found["Step locked"]["head"]["locked"] is True
    assert found["Shown to all: Side by side"]["mirror"] == {"track": 0, "pointer": ""}
    assert found["Highlighted row: listeners tcp :80 "]["mirror"] == {"track": 0, "pointer": "listeners/tcp :80/"}
    assert found["Steps open up to: C"]["head"] == {**found["Steps open up to: C"]["head"], "pace": "gated", "gate": 2}
    assert found["Shown to all: lost"]["mirror"] is None
    assert track["mirrors"] == [{"title": "Side by side", "why": "", "track": {"v": 1}}]


def test_the_replay_has_the_pace_with_which_the_session_was_created() -> None:
    created, closed = SESSION.events[0], SESSION.events[-1]
    moved = (Event(1050, "pace", "", "gated"), Event(1050, "gate", "", C), Event(1100, "pace", "", "together"))
    started = replace(created, kind="pace", detail="gated")
    entries = entries_of(track_of(replace(SESSION, pace="together", events=(created, started, *moved, closed))))
    assert [(text, slots["head"]["pace"]) for _at, text, slots in entries if "Session" in text or "follow" in text] == [
        ("Session created", "gated"),
        ("All follow the instructor", "together"),
        ("Session closed", "together"),
    ]
    texts = [text for _at, text, _slots in entries]
    assert "Everybody at their own pace" not in texts, "only the gate moved"
    assert "Steps open up to: C" in texts
    older = entries_of(track_of(replace(SESSION, pace="together", events=(created, *moved, closed))))
    assert older[0][2]["head"]["pace"] == "together"
    assert "Everybody at their own pace" in [text for _at, text, _slots in older]
    unchanged = entries_of(track_of(replace(SESSION, pace="gated", events=(created, closed))))
    assert {slots["head"]["pace"] for _at, _text, slots in unchanged} == {"gated"}


def test_the_timer_of_the_replay_ends_with_the_session() -> None:
    created, closed = SESSION.events[0], SESSION.events[-1]
    timer = Event(END - 60, "timer", "", str(END + 240))
    entries = entries_of(track_of(replace(SESSION, events=(created, timer, closed))))
    heads = {text: slots["head"] for _at, text, slots in entries}
    assert heads["Timer: 5 minutes"]["timer"] == END + 240
    assert (heads["Session closed"]["closed"], heads["Session closed"]["timer"]) == (True, 0.0)


def slots_at(facts: SessionFacts, *names: str) -> list[tuple[float, list[Any]]]:
    """The times at which one of these slots changed, with the values of all of them."""
    found: list[tuple[float, list[Any]]] = []
    for at, _text, slots in entries_of(track_of(facts)):
        values = [slots.get(name) for name in names]
        if not found or found[-1][1] != values:
            found.append((at, values))
    return found


def test_presence_and_a_raised_hand_follow_the_participant() -> None:
    kinds = ("hand", "lowered", "hand", "away", "back", "hand")
    events = tuple(Event(START + 10 * number, kind) for number, kind in enumerate(kinds, start=1))
    facts = facts_of(person("Ada", {}, *events, left=START + 70))
    assert slots_at(facts, "p0")[1:] == [
        (START, [[True, False]]),
        (START + 10, [[True, True]]),
        (START + 20, [[True, False]]),
        (START + 30, [[True, True]]),
        (START + 40, [[False, False]]),
        (START + 50, [[True, False]]),
        (START + 60, [[True, True]]),
        (START + 70, [[False, False]]),
    ]


@pytest.mark.parametrize(("kind", "field"), [("locked", "locked"), ("doors", "doors")])
def test_a_switch_of_the_instructor_is_on_or_off(kind: str, field: str) -> None:
    events = tuple(Event(START + number, kind, "", value) for number, value in enumerate(("True", "False", "True")))
    heads = slots_at(facts_of(events=events), "head")
    assert [head[0][field] for _at, head in heads[:4]] == [False, True, False, True]
    texts = track_of(facts_of(events=events))["texts"]
    assert texts[1] == texts[3] != texts[2]


def test_a_timer_ends_or_is_stopped_and_other_texts_stop_it() -> None:
    def timers(*values: str) -> list[float]:
        events = tuple(Event(START + number, "timer", "", value) for number, value in enumerate(values))
        return [head[0]["timer"] for _at, head in slots_at(facts_of(events=events, closed=0.0), "head")]

    assert timers("1310.0", "0.0") == [0.0, 1310.0, 0.0]
    assert timers("1310.0", "nonsense") == [0.0, 1310.0, 0.0]
    silent = facts_of(events=(Event(START, "timer", "", "0.0"),), closed=0.0)
    assert len(track_of(silent)["texts"]) == 1


def test_without_hosts_an_answer_passes_all_who_have_joined_and_those_who_join_later() -> None:
    """As in the report, it also passes those who are away."""
    people = (
        person("Ada", {B: record(START + 5, 1)}),
        person("Away", {}, Event(START + 8, "away"), Event(START + 50, "back")),
        person("Late", {}, joined=START + 30),
    )
    events = (
        Event(START + 10, "revealed", "", B),
        Event(START + 20, "revealed", "", B),
        Event(START + 25, "revealed", "", "a step that is gone"),
    )
    facts = facts_of(*people, events=events, hosts="none", closed=0.0)
    cells = slots_at(facts, "c0.1", "c1.1", "c2.1")
    assert cells[-2:] == [
        (START + 10, [["done", 0], ["done", 0], None]),
        (START + 30, [["done", 0], ["done", 0], ["done", 0]]),
    ]
    report = build_report(facts, WORKSHOP)
    assert [one.cells[1].state for one in report.people] == ["done", "done", "done"]
    with_hosts = slots_at(facts_of(*people, events=events, closed=0.0), "c0.1", "c2.1")
    assert with_hosts[-1][1] == [["run", 0], None]
    at = [entry for entry, _text, _slots in entries_of(track_of(facts))]
    assert START + 20 not in at
    assert START + 25 not in at


def test_answers_are_counted_and_the_right_one_is_marked_once_it_is_revealed() -> None:
    people = (person("Ada", {B: record(START + 5, 1)}), person("Bob", {B: record(START + 7, 0)}))
    events = (Event(START + 1, "step", "", B), Event(START + 10, "revealed", "", B), Event(START + 20, "step", "", A))
    answers = [value[0] for _at, value in slots_at(facts_of(*people, events=events, closed=0.0), "answers")]
    shown = [(one["step"], one["counts"], one["answered"], one["revealed"], one["right"]) for one in answers[1:5]]
    assert answers[0] is None
    assert shown == [
        (1, [0, 0], 0, False, None),
        (1, [0, 1], 1, False, None),
        (1, [1, 1], 2, False, None),
        (1, [1, 1], 2, True, 1),
    ]
    assert [one["known"] for one in answers[1:5]] == [False, False, False, True]
    assert answers[5] is None


def test_a_prediction_after_the_reveal_is_not_among_the_answers() -> None:
    people = (person("Ada", {B: record(START + 5, 1)}), person("Cleo", {B: record(START + 20, 0)}))
    events = (Event(START + 1, "step", "", B), Event(START + 10, "revealed", "", B))
    facts = facts_of(*people, events=events)
    (answers,) = slots_at(facts, "answers")[-1][1]
    assert (answers["counts"], answers["answered"], answers["revealed"]) == ([0, 1], 1, True)
    assert slots_at(facts, "c1.1")[-1] == (START + 20, [["run", 0]])


def test_a_replay_of_as_many_entries_as_are_allowed_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(track_of(SESSION)["texts"])
    for limit, truncated in ((count, False), (count - 1, True), (1, True)):
        monkeypatch.setattr(session_replay, "MAX_ENTRIES", limit)
        track = track_of(SESSION)
        assert (track["truncated"], len(track["texts"])) == (truncated, min(limit, count))


def test_a_hint_to_a_participant_uses_the_names_of_the_replay() -> None:
    facts = facts_of(person("Ada", {}, Event(START + 1, "told", "", "Ask Bob, not Bobby.")), person("Bob", {}))
    assert any("Ask Bob, not Bobby." in text for text in track_of(facts)["texts"])
    (text,) = [text for text in track_of(facts, anonymous=True)["texts"] if "Ask" in text]
    assert text.endswith("Ask Person 2, not Bobby.")
    assert "Person 1" in text


def test_events_of_steps_that_are_gone_are_left_out() -> None:
    gone = facts_of(person("Ada", {}, Event(START + 1, "checked", "gone", "no"), Event(START + 2, "unknown", A, "x")))
    assert {at for at, _text, _slots in entries_of(track_of(gone))} == {START - 10, START, 9000.0}


def test_an_experiment_that_is_no_longer_shown_hides_its_pointer() -> None:
    events = tuple(
        Event(START + number, kind, "", detail)
        for number, (kind, detail) in enumerate(
            (("mirror", "x2"), ("pointer", "a/b"), ("pointer", ""), ("pointer", "c"), ("mirror", ""))
        )
    )
    mirrors = {"x1": MirroredExperiment("One"), "x2": MirroredExperiment("Two")}
    track = track_of(facts_of(events=events), mirrors=mirrors)
    shown = [slots.get("mirror") for _at, _text, slots in entries_of(track)][1:6]
    assert shown == [
        {"track": 1, "pointer": ""},
        {"track": 1, "pointer": "a/b"},
        {"track": 1, "pointer": ""},
        {"track": 1, "pointer": "c"},
        None,
    ]
    assert [one["track"] for one in track["mirrors"]] == [None, None]
