"""A session as CSV tables: exact cells, and no formulas."""

from __future__ import annotations

import csv
import io

from dashboard.core.training.results.csv_tables import PEOPLE, STEPS, people_csv, steps_csv
from dashboard.core.training.results.report import build_report
from tests.core.training_builders import SESSION, facts_of, person
from tests.core.workshops.test_progress import WORKSHOP

REPORT = build_report(SESSION, WORKSHOP)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), strict=True))


def test_the_table_of_people_has_every_cell_exactly() -> None:
    lines = read(people_csv(REPORT))
    assert tuple(lines[0]) == PEOPLE
    assert len(lines) == 4 * 3
    assert list(lines[4].values()) == [
        "Bob", "1", "1970-01-01T00:16:40+00:00", "", "2", "b", "B", "done", "100", "0", "one", "two", "no", "0", "0",
        "0", "",
    ]  # fmt: skip
    assert list(lines[7].values())[3:] == [
        "1970-01-01T00:33:20+00:00", "2", "b", "B", "run", "", "0", "two", "two", "yes", "0", "0", "0", "",
    ]  # fmt: skip


def test_the_table_of_steps_has_every_figure_exactly() -> None:
    lines = read(steps_csv(REPORT))
    assert tuple(lines[0]) == (*STEPS, "choice_1", "count_1", "choice_2", "count_2")
    assert list(lines[1].values()) == [
        "2", "b", "B", "?", "3", "3", "2", "0.6667", "two", "workshop", "3", "2", "80.0", "96.0", "0", "0", "0", "0",
        "one", "1", "two", "2",
    ]  # fmt: skip
    assert lines[0]["choice_1"] == ""


def test_no_name_is_a_formula() -> None:
    nasty = '=HYPERLINK("http://192.0.2.1"),\n"|cmd'
    line = read(people_csv(build_report(facts_of(person(nasty, {})), WORKSHOP)))[0]
    assert line["person"] == f"'{nasty}"


def test_a_session_without_participants_has_only_the_header_line() -> None:
    assert people_csv(build_report(facts_of(), WORKSHOP)).count("\n") == 1
