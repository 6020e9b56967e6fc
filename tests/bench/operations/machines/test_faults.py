"""The results of fault rounds on several machines, what participants and the page of machines showed, and the shifted
clock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter

import pytest

from dashboard.bench.operations.machines.faults import describe_answers, figures_of
from dashboard.bench.operations.machines.installation import rows_of
from dashboard.bench.operations.machines.rounds import FAULTS, SHIFTED, FaultRound
from dashboard.bench.operations.machines.scene import sentence_of
from dashboard.bench.statistics import Verdict


def test_a_lost_object_breaks_the_promise() -> None:
    kept = FaultRound("lab killed", 7.0, 5.0, 0)
    figures = figures_of([kept, FaultRound("lab killed", 8.0, 6.0, 1)])
    assert figures[0].value == 1.0
    assert figures[0].verdict is Verdict.BROKEN_BARELY
    assert figures_of([kept, kept])[0].verdict is Verdict.KEPT


def test_each_fault_has_its_times() -> None:
    figures = {each.name: each for each in figures_of([FaultRound("a", 7.0, 5.0, 0), FaultRound("b", None, 40.0, 0)])}
    assert figures["a: seen"].value == 7.0
    assert figures["a: the longest"].verdict is Verdict.KEPT
    assert "b: seen" not in figures
    assert figures["b: the longest"].verdict is Verdict.BROKEN


def test_answers_are_described_most_frequent_first() -> None:
    answers = Counter({(200, ""): 9, (409, "The machine lab1 does not respond."): 3, (0, "ConnectionResetError"): 1})
    described = describe_answers(answers)
    assert described == (
        "the page (9 times), 409 “The machine lab1 does not respond.” (3 times), "
        "no answer “ConnectionResetError” (1 times)"
    )


@pytest.mark.parametrize("shift", [3600.0, -3600.0, 0.0])
def test_the_clock_of_a_process_is_shifted(shift: float) -> None:
    variables = {"PYTHONPATH": str(SHIFTED), "BENCH_CLOCK_S": str(shift)}
    code = "import time; print(time.time(), time.time_ns() / 1e9)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True, check=True
    )
    assert all(abs(float(text) - time.time() - shift) < 30.0 for text in done.stdout.split())


def test_the_rows_of_the_page_of_machines_are_known_by_name() -> None:
    page = """<table><thead><tr><th scope="col">name</th></tr></thead><tbody>
    <tr>
    <th scope="row"><a href="/doctor/?machine=lab1">lab1</a><br><span class="soft">rack=2</span></th>
    <td><span class="badge">connected</span></td></tr><tr>
    <th scope="row">lab-12</th><td>absent</td></tr></tbody></table>"""
    rows = rows_of(page)
    assert {name: text.split() for name, text in rows.items()} == {
        "lab1": ["lab1", "rack=2", "connected"],
        "lab-12": ["lab-12", "absent"],
    }


def test_every_fault_of_the_list_is_described() -> None:
    assert len(FAULTS) == 8
    assert all(function.__doc__ for function in FAULTS.values())


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (
            '<main class="a"><h1>x</h1><p class="notice bad" role="alert">No <b>lab</b>\n answers.</p></main>',
            "No lab answers.",
        ),
        (
            '<main><p class="notice" hidden>It is over.</p><p class="notice bad">The lab is absent.</p></main>',
            "The lab is absent.",
        ),
        ("<head>y</head><main><h1>Not now</h1><p>Try again.</p></main>", "Not now Try again."),
        ("a line", "a line"),
    ],
)
def test_the_sentence_of_a_page_is_its_message(page: str, sentence: str) -> None:
    assert sentence_of(page.encode()) == sentence
