"""dashboard.core.reports.validate: contradictions and excessive work are refused with a reason, before the work is
done."""

from __future__ import annotations

import base64
import random
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from dashboard.core.experiments.journal import Attempt, Cause, Entry, Facts, Source, Trial
from dashboard.core.experiments.messages import Column
from dashboard.core.experiments.validation import MAX_ARMS
from dashboard.core.measurements.measurement import Block
from dashboard.core.namespaces.delta import Changes
from dashboard.core.namespaces.state import Family, NamespaceState, Route
from dashboard.core.reports import validate as report_validate
from dashboard.core.reports.model import ClaimResult, ClaimVerdict, FrozenExperiment, Origin, ReportContent
from dashboard.core.reports.parse import InvalidReportError
from dashboard.core.reports.validate import MAX_TIME_US, validate_content, validate_file
from dashboard.store.reports.reading import derive
from tests.core.builders import make_interface, make_state
from tests.support.reports import AT, make_content, make_file, make_run

RUN = make_run(rounds=2)
CONTENT = make_content(4, [RUN])
CAUSE = Cause(Source.LAB)


def experiment(*entries: Entry, **more: Any) -> ReportContent:
    """The content with another journal, or with other fields of its experiment."""
    assert CONTENT.experiment is not None
    fields = {"journal": entries, "shown_seq": 0, **more} if entries else more
    return replace(CONTENT, experiment=replace(CONTENT.experiment, **fields))


def frozen() -> FrozenExperiment:
    assert CONTENT.experiment is not None
    return CONTENT.experiment


def tried(attempt: Attempt) -> ReportContent:
    last = frozen().journal[-1]
    trial = Facts(trial=Trial((attempt,), AT, 1))
    return experiment(*frozen().journal, Entry(last.seq + 1, last.at, CAUSE, trial))


def with_block(**more: Any) -> ReportContent:
    first: Block = replace(RUN.blocks[0], **more)
    return replace(CONTENT, measurements=(replace(RUN, blocks=(first, *RUN.blocks[1:])),))


def unavailable(number: int) -> ReportContent:
    """The content in which a measured series has a reason why it could not be measured."""
    measurement = RUN.measurement
    series = [replace(one, unavailable="no port") if at == number else one for at, one in enumerate(measurement.series)]
    run = replace(RUN, measurement=replace(measurement, series=tuple(series)))
    return replace(CONTENT, measurements=(run,))


def zlib_bomb(size: int) -> bytes:
    """A histogram with a valid header and a payload that inflates to ``size`` zeros."""
    head = struct.pack(">iiiiqqd", 0x1C849303 | 0x10, size, 0, 3, 1, 3_600_000_000_000, 1.0)
    packed = zlib.compress(head + bytes(size), 9)
    return struct.pack(">ii", 0x1C849304 | 0x10, len(packed)) + packed


def other_table(digits: int, highest: int) -> bytes:
    """A histogram with a table of another size."""
    head = struct.pack(">iiiiqqd", 0x1C849303 | 0x10, 0, 0, digits, 1, highest, 1.0)
    packed = zlib.compress(head)
    return struct.pack(">ii", 0x1C849304 | 0x10, len(packed)) + packed


def many_routes(count: int) -> NamespaceState:
    return make_state(routes=tuple(Route(Family.INET, f"10.{n}.0.0/16") for n in range(count)))


def first(count: int, columns: int = 1) -> Entry:
    """The first entry of a journal: ``columns`` with ``count`` routes each."""
    keys = [f"column{number}" for number in range(columns)]
    states = {key: many_routes(count) for key in keys}
    return Entry(1, AT, CAUSE, Facts(columns=tuple(Column(key, "bridge", key) for key in keys), states=states))


def test_a_valid_report_is_accepted() -> None:
    validate_content(CONTENT)
    assert validate_file(make_file(CONTENT))[0] == CONTENT
    for time_us in (0, MAX_TIME_US):
        validate_content(tried(Attempt("loopback", "", "machine", "host", "", "", 200, time_us=time_us)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (replace(CONTENT, title=" "), "has no title"),
        (replace(CONTENT, title="x" * 201), "title has 201 characters"),
        (replace(CONTENT, title="a\x1b[2J"), "title contains control characters"),
        (replace(CONTENT, author="x" * 151), "author's name has 151"),
        (replace(CONTENT, notes="x" * 100_001), "notes has 100,001"),
        (replace(CONTENT, installation="x" * 17), "installation has 17"),
        (replace(CONTENT, tags=("A",)), "Use at most 12"),
        (replace(CONTENT, tags=tuple(str(n) for n in range(13))), "Use at most 12"),
        (replace(CONTENT, saved_at=-1.0), "before 1970"),
        (replace(CONTENT, saved_at=1e300), "after 9999"),
        (replace(CONTENT, experiment=None), "has no experiment"),
        (replace(CONTENT, measurements=(), origin=Origin.MEASUREMENT), "has no measurement"),
        (replace(CONTENT, claims=(), origin=Origin.CLAIMS), "has no claims"),
        (replace(CONTENT, claims=(ClaimResult("a", "b", "c", ClaimVerdict.HOLDS),) * 1001), "1,001 claims"),
        (replace(CONTENT, measurements=(replace(RUN, blocks=()),) * 101), "101 measurements"),
        (experiment(shown_seq=99), "shows entry 99"),
        (experiment(shown_seq=-1), "shows entry -1"),
        (experiment(head=replace(frozen().head, started_at=1e300)), "after 9999"),
        (experiment(*reversed(frozen().journal)), "follows entry"),
        (experiment(frozen().journal[0], frozen().journal[0]), "Journal entry 1 follows entry 1"),
        (experiment(replace(frozen().journal[0], seq=0)), "entry 0"),
        (experiment(replace(frozen().journal[0], at=-5.0)), "before 1970"),
        (tried(Attempt("loopback", "", "machine", "host", "", "", 200, time_us=10**400)), "time of a request"),
        (tried(Attempt("loopback", "", "machine", "host", "", "", 200, time_us=-1)), "time of a request"),
        (tried(Attempt("loopback", "", "machine", "host", "", "", 200, time_us=MAX_TIME_US + 1)), "time of a request"),
        (experiment(first(1, columns=101)), "101 columns"),
        (experiment(first(20_000, columns=5)), "cells in the comparison"),
        (replace(CONTENT, measurements=(replace(RUN, series=RUN.series * 2),)), "the same key"),
        (replace(CONTENT, measurements=(replace(RUN, series=RUN.series[:1]),)), "has no series"),
        (replace(CONTENT, measurements=(replace(RUN, blocks=RUN.blocks * 2),)), "two blocks of the same round"),
        (with_block(series="nowhere"), "no series “nowhere”"),
        (with_block(n=-1), "is negative"),
        (with_block(p99_us=-0.1), "is negative"),
        (with_block(p50_us=1.5e308), "too large"),
        (with_block(center_us=5e-324), "less than a nanosecond"),
        (unavailable(0), "has figures, but could not be measured"),
        (with_block(histogram=b"x"), "cannot be read"),
        (with_block(histogram=RUN.blocks[0].histogram[:-4]), "cannot be read"),
        (with_block(histogram=zlib_bomb(50_000_000)), "cannot be read"),
        (with_block(histogram=other_table(5, 3_600_000_000_000)), "cannot be read"),
        (with_block(histogram=other_table(3, 2**62)), "cannot be read"),
    ],
)
def test_an_invalid_content_is_refused_in_one_sentence(content: ReportContent, words: str) -> None:
    with pytest.raises(InvalidReportError, match=words) as refused:
        validate_content(content)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def test_comparisons_of_missing_series_are_refused() -> None:
    series = RUN.measurement.series[:1]
    run = replace(RUN, measurement=replace(RUN.measurement, series=series))
    with pytest.raises(InvalidReportError, match="has no series"):
        validate_content(replace(CONTENT, measurements=(run,)))


def replaced(count: int, **changes: Any) -> ReportContent:
    """A journal in which one large state changes ``count`` times."""
    change = Changes(**changes)
    again = [Entry(2 + number, AT, CAUSE, Facts(changes={"column0": change})) for number in range(count)]
    return experiment(first(3000), *again)


ROUTE = Route(Family.INET, "192.0.2.0/24")
MANY = {f"net.{number}": "1" for number in range(3000)}


def growing() -> ReportContent:
    """Each entry adds a hundred links."""
    links = [
        tuple(make_interface(f"e{n}", n, addresses=("10.0.0.1/8",)) for n in range(at, at + 100))
        for at in range(0, 10_000, 100)
    ]
    more = (
        Entry(2 + n, AT, CAUSE, Facts(changes={"column0": Changes(interfaces_set=new)})) for n, new in enumerate(links)
    )
    return experiment(first(1), *more)


TOO_MUCH: dict[str, Callable[[], ReportContent]] = {
    "a large state that is sorted repeatedly": lambda: replaced(7_000, routes_added=(ROUTE,), routes_removed=(ROUTE,)),
    "many sysctls removed from many": lambda: replaced(9, sysctls_set=MANY, sysctls_removed=tuple(MANY)),
    "a state that grows": growing,
    "too many entries": lambda: experiment(*(Entry(n + 1, AT, CAUSE, Facts()) for n in range(100_001))),
    "too many blocks": lambda: replace(CONTENT, measurements=(replace(RUN, blocks=RUN.blocks[:1] * 20_001),)),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_much_work_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_validate, "MAX_STEPS", 200_000)
    content = TOO_MUCH[name]()
    started = time.process_time()
    with pytest.raises(InvalidReportError, match=r"smaller report|one by one"):
        validate_content(content)
    assert time.process_time() - started < 10


def test_a_listener_that_opens_and_closes_is_not_growth() -> None:
    """Ten thousand changes of one listener are normal within an afternoon."""
    validate_content(make_content(10_000, ()))


def test_entries_and_blocks_up_to_the_limits_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CONTENT.experiment is not None
    monkeypatch.setattr(report_validate, "MAX_ENTRIES", len(CONTENT.experiment.journal))
    monkeypatch.setattr(report_validate, "MAX_BLOCKS", len(RUN.blocks))
    validate_content(CONTENT)
    monkeypatch.setattr(report_validate, "MAX_BLOCKS", len(RUN.blocks) - 1)
    with pytest.raises(InvalidReportError, match=r"blocks; .* Save its measurements one by one, each on its own page"):
        validate_content(CONTENT)


def test_states_that_cannot_be_drawn_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(columns: object, states: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(report_validate, "draw", fails)
    with pytest.raises(InvalidReportError, match="cannot be replayed"):
        validate_content(CONTENT)


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}${7*7}[x](javascript:alert(1))"


@pytest.mark.parametrize("share", [0.2, pytest.param(1.0, marks=pytest.mark.slow)])
def test_script_in_any_text_is_ordinary_data(share: float) -> None:
    """Replaces one text at a time, in the gate others for each commit. The report is accepted or refused; nothing else
    fails."""
    taken = 0
    poisoned = _poisoned(CONTENT)
    for number, content in enumerate(random.sample(poisoned, round(share * len(poisoned)))):
        try:
            validate_content(content)
            taken += 1
            if number % 60 == 0:
                derive(content)
        except InvalidReportError:
            continue
    assert taken > 50


def _poisoned(content: ReportContent) -> list[ReportContent]:
    plain = msgspec.json.decode(msgspec.json.encode(content))
    found: list[ReportContent] = []

    def walk(holder: Any) -> None:
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            value = holder[key]
            if isinstance(value, (dict, list)):
                walk(value)
            elif isinstance(value, str):
                holder[key] = HOSTILE
                with suppress(msgspec.ValidationError):
                    found.append(msgspec.convert(plain, ReportContent))
                holder[key] = value

    walk(plain)
    return found


def test_a_decompression_bomb_in_a_histogram_is_refused_at_once() -> None:
    bomb = zlib_bomb(200_000_000)
    assert len(base64.b64encode(bomb)) < 1_000_000
    started = time.process_time()
    with pytest.raises(InvalidReportError):
        validate_content(with_block(histogram=bomb))
    assert time.process_time() - started < 2


LINK = make_interface("e9", 9, addresses=("10.0.0.1/8", "10.0.0.2/8"))
STATE = make_state()


@pytest.mark.parametrize(
    ("changes", "cost"),
    [
        (Changes(), 1),
        (Changes(hostname="other"), 1),
        (Changes(interfaces_set=(LINK,)), 1 + len(STATE.interfaces) + 3),
        (Changes(interfaces_removed=(LINK,)), 1 + len(STATE.interfaces) + 1),
        (Changes(routes_added=(ROUTE,)), 1 + len(STATE.routes) + 1),
        (Changes(routes_removed=(ROUTE, ROUTE)), 1 + len(STATE.routes) + 2),
        (Changes(listeners_added=STATE.listeners), 1 + 2 * len(STATE.listeners)),
        (Changes(listeners_removed=STATE.listeners), 1 + 2 * len(STATE.listeners)),
        (Changes(sysctls_set={"a": "1", "b": "2"}), 1 + len(STATE.sysctls) + 2),
        (Changes(sysctls_removed=("a",)), 1 + 2 * len(STATE.sysctls)),
    ],
)
def test_a_change_costs_the_items_of_the_lists_that_it_sorts(changes: Changes, cost: int) -> None:
    assert report_validate._cost(STATE, changes) == cost


def limits_of(content: ReportContent, name: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The smallest limit with which a content is accepted."""
    low, high = 0, 1 << 20
    while low < high:
        middle = (low + high) // 2
        monkeypatch.setattr(report_validate, name, middle)
        try:
            validate_content(content)
        except InvalidReportError:
            low = middle + 1
        else:
            high = middle
    return low


def test_the_work_of_a_replay_is_counted_entry_by_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each entry: one step, one for each column and state, and the cost of its changes."""
    start = first(3, columns=2)
    assert limits_of(experiment(start), "MAX_STEPS", monkeypatch) == 1
    silent = Entry(2, AT, CAUSE, Facts())
    assert limits_of(experiment(start, silent), "MAX_STEPS", monkeypatch) == 1 + 5
    changed = Entry(2, AT, CAUSE, Facts(changes={"column0": Changes(routes_added=(ROUTE,)), "gone": Changes()}))
    assert limits_of(experiment(start, changed), "MAX_STEPS", monkeypatch) == 1 + 5 + 5


def test_an_experiment_with_as_many_arms_as_can_be_launched_is_accepted() -> None:
    validate_content(experiment(first(30, columns=MAX_ARMS + 5)))


def test_columns_and_cells_up_to_the_limits_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits_of(experiment(first(3, columns=4)), "MAX_COLUMNS", monkeypatch) == 4
    one, two = (limits_of(experiment(first(3, columns=count)), "MAX_CELLS", monkeypatch) for count in (1, 2))
    assert two == 4 * one
