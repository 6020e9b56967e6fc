"""Facts of sessions: one written by hand, and random consistent ones."""

from __future__ import annotations

from hypothesis import strategies as st

from dashboard.core.training.results.facts import ParticipantFacts, Reading, SessionFacts
from dashboard.core.workshops.progress import Event, StepRecord
from tests.core.workshops.test_progress import WORKSHOP

START = 1000.0
END = 9000.0
A, B, C = (step.slug for step in WORKSHOP.steps)


def record(
    opened: float,
    prediction: int | None = None,
    passed: float = 0.0,
    *,
    attempts: int = 0,
    truth: str = "",
    hints: int = 0,
) -> StepRecord:
    return StepRecord(
        opened_at=opened,
        prediction=prediction,
        predicted_at=opened if prediction is not None else 0.0,
        truth=truth,
        attempts=attempts,
        hints=hints,
        passed_at=passed,
    )


def events_of(records: dict[str, StepRecord]) -> tuple[Event, ...]:
    """The events that produce these records."""
    found = []
    for slug, one in records.items():
        asked = next(step for step in WORKSHOP.steps if step.slug == slug).predict
        if one.prediction is not None and asked is not None:
            found.append(Event(one.predicted_at, "predicted", slug, asked.choices[one.prediction]))
        found += [Event(one.opened_at + 1 + n, "checked", slug, f"check {n % 2}") for n in range(one.attempts)]
        found += [Event(one.opened_at + 2, "hint", slug, str(n + 1)) for n in range(one.hints)]
        if one.passed_at:
            found.append(Event(one.passed_at, "passed", slug, one.truth))
    return tuple(sorted(found, key=lambda event: event.at))


def person(
    name: str, records: dict[str, StepRecord], *more: Event, joined: float = START, left: float = 0.0
) -> ParticipantFacts:
    events = tuple(sorted((*events_of(records), *more), key=lambda event: event.at))
    return ParticipantFacts(f"participant-of-{name}", name, 1, joined, left, records, events)


def facts_of(
    *people: ParticipantFacts, events: tuple[Event, ...] = (), hosts: str = "person", closed: float = END
) -> SessionFacts:
    readings: dict[str, list[Reading]] = {}
    for one in people:
        for slug, seen in one.records.items():
            if seen.truth and not one.left_at:
                readings.setdefault(slug, []).append(Reading(seen.passed_at, seen.truth))
    made = Event(START - 10, "created", "", WORKSHOP.slug)
    ended = (Event(closed, "closed"),) if closed else ()
    return SessionFacts(
        id="s1",
        title="Monday",
        workshop=WORKSHOP.slug,
        created_at=START - 10,
        closed_at=closed,
        until=END,
        hosts=hosts,
        events=(made, *events, *ended),
        participants=people,
        readings={slug: tuple(seen) for slug, seen in readings.items()},
    )


#: Ada is right where Bob is wrong; Cleo was removed in the middle; Dan never opened a step.
SESSION = facts_of(
    person(
        "Ada",
        {
            A: record(1100, passed=1160),
            B: record(1200, 1, 1260),
            C: record(1300, 1, 1340, truth="own"),
        },
    ),
    person(
        "Bob",
        {A: record(1100, passed=1200, attempts=3, hints=2), B: record(1250, 0, 1350), C: record(1400, 0, attempts=1)},
        Event(1420, "hand", C),
        Event(1420, "asked", C, "Why me, Bob?"),
    ),
    person("Cleo", {A: record(1110, passed=1230), B: record(1240, 1)}, left=2000),
    person("Dan", {}, joined=1500),
    events=(Event(1190, "step", "", B), Event(1500, "revealed", "", B), Event(1600, "told", "", "Well done, Ada!")),
)


@st.composite
def sessions(draw: st.DrawFn) -> SessionFacts:
    """Generates sessions of up to eight participants, with or without hosts, open or closed."""
    people = []
    for number in range(draw(st.integers(0, 8))):
        records: dict[str, StepRecord] = {}
        at = START + draw(st.integers(0, 50))
        joined = at
        for step in WORKSHOP.steps:
            if not draw(st.booleans()):
                continue
            at += draw(st.integers(1, 100))
            asked = draw(st.none() | st.integers(0, 1)) if step.predict is not None else None
            attempts = draw(st.integers(0, 3))
            passed = at + 10 + draw(st.integers(0, 300)) if draw(st.booleans()) else 0.0
            truth = draw(st.sampled_from(["own", "machine", "odd"])) if passed and step.slug == C else ""
            records[step.slug] = record(
                at, asked, passed, attempts=attempts, truth=truth, hints=draw(st.integers(0, 2))
            )
        left = draw(st.sampled_from([0.0, 0.0, 5000.0]))
        hand = (Event(at + 5, "hand", B),) if draw(st.booleans()) else ()
        people.append(person(f"N{number}", records, *hand, joined=joined, left=left))
    revealed = draw(st.lists(st.sampled_from([A, B, C]), unique=True))
    events = tuple(Event(START + 200 + 10 * n, "revealed", "", slug) for n, slug in enumerate(revealed))
    steps = draw(st.lists(st.sampled_from([A, B, C]), max_size=3))
    events += tuple(Event(START + 205 + 10 * n, "step", "", slug) for n, slug in enumerate(steps))
    hosts = draw(st.sampled_from(["none", "person"]))
    if hosts == "none":  # nobody runs anything: a step is done when it is revealed
        people = [
            person(
                one.name,
                {slug: record(seen.opened_at, seen.prediction) for slug, seen in one.records.items()},
                joined=one.joined_at,
                left=one.left_at,
            )
            for one in people
        ]
    return facts_of(
        *people,
        events=tuple(sorted(events, key=lambda one: one.at)),
        hosts=hosts,
        closed=draw(st.sampled_from([0.0, END])),
    )
