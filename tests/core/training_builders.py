"""Classes that met, made up: by hand, or at random but consistent."""

from __future__ import annotations

from hypothesis import strategies as st

from dashboard.core.training.results.facts import Deed, Looked, PersonFacts, SessionFacts
from dashboard.core.workshops.progress import StepRecord
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


def deeds_of(records: dict[str, StepRecord]) -> tuple[Deed, ...]:
    """What the records came from."""
    found = []
    for slug, one in records.items():
        asked = next(step for step in WORKSHOP.steps if step.slug == slug).predict
        if one.prediction is not None and asked is not None:
            found.append(Deed(one.predicted_at, "predicted", slug, asked.choices[one.prediction]))
        found += [Deed(one.opened_at + 1 + n, "checked", slug, f"check {n % 2}") for n in range(one.attempts)]
        found += [Deed(one.opened_at + 2, "hint", slug, str(n + 1)) for n in range(one.hints)]
        if one.passed_at:
            found.append(Deed(one.passed_at, "passed", slug, one.truth))
    return tuple(sorted(found, key=lambda deed: deed.at))


def person(
    name: str, records: dict[str, StepRecord], *more: Deed, joined: float = START, left: float = 0.0
) -> PersonFacts:
    deeds = tuple(sorted((*deeds_of(records), *more), key=lambda deed: deed.at))
    return PersonFacts(f"participant-of-{name}", name, 1, joined, left, records, deeds)


def facts_of(
    *people: PersonFacts, events: tuple[Deed, ...] = (), hosts: str = "person", closed: float = END
) -> SessionFacts:
    looks: dict[str, list[Looked]] = {}
    for one in people:
        for slug, seen in one.records.items():
            if seen.truth and not one.left_at:
                looks.setdefault(slug, []).append(Looked(seen.passed_at, seen.truth))
    made = Deed(START - 10, "created", "", WORKSHOP.slug)
    ended = (Deed(closed, "closed"),) if closed else ()
    return SessionFacts(
        id="s1",
        title="Monday",
        workshop=WORKSHOP.slug,
        created_at=START - 10,
        closed_at=closed,
        until=END,
        hosts=hosts,
        events=(made, *events, *ended),
        people=people,
        looks={slug: tuple(seen) for slug, seen in looks.items()},
    )


#: Ada is right where Bob is wrong; Cleo was taken away in the middle; Dan never opened anything.
CLASS = facts_of(
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
        Deed(1420, "hand", C),
        Deed(1420, "asked", C, "Why me, Bob?"),
    ),
    person("Cleo", {A: record(1110, passed=1230), B: record(1240, 1)}, left=2000),
    person("Dan", {}, joined=1500),
    events=(Deed(1190, "step", "", B), Deed(1500, "revealed", "", B), Deed(1600, "told", "", "Well done, Ada!")),
)


@st.composite
def classes(draw: st.DrawFn) -> SessionFacts:
    """Any class of up to eight, with hosts or without, going on or over."""
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
        hand = (Deed(at + 5, "hand", B),) if draw(st.booleans()) else ()
        people.append(person(f"N{number}", records, *hand, joined=joined, left=left))
    revealed = draw(st.lists(st.sampled_from([A, B, C]), unique=True))
    events = tuple(Deed(START + 200 + 10 * n, "revealed", "", slug) for n, slug in enumerate(revealed))
    steps = draw(st.lists(st.sampled_from([A, B, C]), max_size=3))
    events += tuple(Deed(START + 205 + 10 * n, "step", "", slug) for n, slug in enumerate(steps))
    hosts = draw(st.sampled_from(["none", "person"]))
    if hosts == "none":  # nobody runs anything: what is done was revealed
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
