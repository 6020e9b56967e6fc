"""Problems of journals in the head of an experiment."""

from __future__ import annotations

from dashboard.core.experiments.machines.journal_problems import show_problems
from tests.core.machine_scenes import make_head

TWO = {"part1": "server", "part2": "lab2"}


def test_without_problems_the_head_stays() -> None:
    head = make_head(problem="The engine is away.")
    assert show_problems(head, {}, TWO) is head


def test_on_one_machine_the_problem_of_the_journal_is_shown() -> None:
    head = show_problems(make_head(problem="The engine is away."), {"whole": ("disk full", 5.0)}, {"whole": "server"})
    assert (head.problem, head.problem_since) == ("disk full", 5.0)


def test_each_problem_of_several_machines_names_its_machine_and_recorded_problems_stay() -> None:
    recorded = make_head(problem="server: The engine is away.", problem_since=3.0)
    head = show_problems(recorded, {"part2": ("disk full", 5.0)}, TWO)
    assert head.problem == "lab2: disk full server: The engine is away."
    assert head.problem_since == 3.0
    head = show_problems(make_head(), {"part2": ("disk full.", 5.0), "part1": ("disk full.", 4.0)}, TWO)
    assert (head.problem, head.problem_since) == ("lab2: disk full. server: disk full.", 4.0)
