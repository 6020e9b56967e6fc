"""Comparison and doctor as plain text for a terminal."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.comparison.rows import compare
from dashboard.core.comparison.text_table import comparison_text, doctor_text, printable
from dashboard.core.experiments.engine_kind import ONLY_PODMAN
from dashboard.core.experiments.messages import (
    ArmStatus,
    Check,
    Column,
    Comparison,
    Doctor,
    EngineRef,
    ModeReport,
    Relation,
    Row,
)
from tests.core.builders import Columns, make_column, with_column
from tests.core.scenes import make_scene, recorded_scene
from tests.core.strategies import generated_scenes

ENGINE = EngineRef("26.1.5", "1.45")


def make_comparison(columns: Columns, rows: tuple[Row, ...] = ()) -> Comparison:
    return Comparison(ENGINE, columns, {}, rows)


def control_characters(text: str) -> set[str]:
    """The characters that could control a terminal: controls, formats, line separators, but not a new line."""
    return {char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}} - {"\n"}


@given(st.text())
def test_no_control_character_is_printable(text: str) -> None:
    shown = printable(text)
    assert control_characters(shown) == set()
    assert len(shown) == len(text)
    assert printable(shown) == shown


def test_printable_text_is_kept() -> None:
    assert printable("nginx: größer → 日本 “ok”\nsecond line") == "nginx: größer → 日本 “ok”\nsecond line"
    assert printable("\x1b[2J") == "�[2J"


hostile_words = st.text(st.sampled_from("ab \x1b\x07\r\x9b\u202e\n\t"), min_size=1, max_size=12)


@given(hostile_words, st.integers(0, 200), st.booleans())
def test_no_control_character_reaches_the_terminal(word: str, width: int, everything: bool) -> None:
    """In every text that a container, an image or a report controls."""
    columns = (
        make_column(
            "bridge",
            title=word,
            command=word,
            setup=word,
            warnings=(word,),
            error=word,
            logs=(word, word),
            status=ArmStatus.EXITED,
        ),
    )
    rows = tuple(
        Row("listeners", word, word, {"bridge": text}, relation, word, word, {"bridge": word}, {"bridge": word})
        for text in (word, None)
        for relation in Relation
    )
    text = comparison_text(make_comparison(columns, rows), width, show_all=everything)
    assert control_characters(text) == set()
    report = doctor_text(Doctor(ENGINE, (ModeReport(word, False, word),), (Check(word, False, word),)))
    assert control_characters(report) == set()


@given(generated_scenes(), st.integers(0, 300))
def test_any_comparison_fits_any_terminal(observed: tuple[Columns, Any], width: int) -> None:
    text = comparison_text(make_comparison(observed[0], compare(*observed)), width)
    assert all(line == line.rstrip() for line in text.split("\n"))


def test_the_table_shows_differences_with_their_reason_and_counts_the_rest() -> None:
    columns, states = make_scene(("host", "bridge"))
    rows = compare(columns, states)
    text = comparison_text(make_comparison(columns, rows), 160)
    assert "Network namespace" in text
    assert "    The same number means the same network stack: host mode has no stack of its own." in text
    assert "host: docker run --rm -d --network host -p 8080:80 nginx" in text
    assert "host: the Engine warns: Published ports are discarded when using host network mode" in text
    same = sum(row.relation is Relation.SAME for row in rows)
    assert text.endswith(f"\n{same} rows are the same in all columns.")
    assert "core.somaxconn" not in text


def test_the_table_shows_everything_when_asked() -> None:
    columns, states = recorded_scene()
    rows = compare(columns, states)
    text = comparison_text(make_comparison(columns, rows), 200, show_all=True)
    assert "= core.somaxconn" in text
    assert "are the same" not in text
    assert "(no such" in text


def test_lines_are_no_longer_than_the_terminal() -> None:
    columns, states = make_scene(("host", "bridge"))
    bare = tuple(replace(column, command="", warnings=()) for column in columns)
    text = comparison_text(make_comparison(bare, compare(bare, states)), 100)
    assert max(len(line) for line in text.split("\n")) <= 100


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"status": ArmStatus.REFUSED, "error": "port is already allocated"},
            "bridge: refused: port is already allocated",
        ),
        ({"status": ArmStatus.EXITED, "exit_code": 1}, "bridge: exited with code 1"),
        ({"status": ArmStatus.EXITED, "exit_code": 1, "logs": ("a", "b")}, "bridge:   b"),
        ({"setup": "docker network create web"}, "bridge: docker network create web"),
    ],
)
def test_the_status_of_an_arm_is_shown(fields: dict[str, Any], sentence: str) -> None:
    columns = with_column(make_scene(("bridge",))[0], "bridge", **fields)
    assert sentence in comparison_text(make_comparison(columns)).splitlines()


def test_only_the_last_lines_of_a_log_are_shown() -> None:
    logs = tuple(f"line {number}" for number in range(20))
    columns: tuple[Column, ...] = (make_column(status=ArmStatus.EXITED, logs=logs),)
    text = comparison_text(make_comparison(columns))
    assert "line 15" in text
    assert "line 14" not in text


def test_the_doctor_says_yes_or_no_and_why() -> None:
    doctor = Doctor(
        ENGINE,
        (ModeReport("host", True), ModeReport("ipvlan", False, "This kernel has no ipvlan.")),
        (Check("engine", True, "26.1.5"), Check("image", False, "not here yet")),
    )
    assert doctor_text(doctor).splitlines() == [
        "yes  host",
        "no   ipvlan        This kernel has no ipvlan.",
        "",
        "good  engine        26.1.5",
        "bad   image         not here yet",
    ]


def test_modes_with_the_same_reason_have_one_line_and_names_of_checks_one_width() -> None:
    modes = (
        *(ModeReport(mode, False, ONLY_PODMAN) for mode in ("pasta", "ns")),
        ModeReport("host", True, note="Here."),
    )
    checks = (Check("private hosts", True, "none"), Check("ip", True, "/sbin/ip"))
    assert doctor_text(Doctor(ENGINE, modes, checks)).splitlines() == [
        f"no   pasta, ns     {ONLY_PODMAN}",
        "yes  host          Here.",
        "",
        "good  private hosts  none",
        "good  ip             /sbin/ip",
    ]
