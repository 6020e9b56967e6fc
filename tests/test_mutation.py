"""Mutation testing changes what it should, leaves the rest alone, and tells killed mutants from survivors."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core_subjects import ROOT, subjects
from tests.mutators import changed_functions, executable_lines, mutations


def changes(source: str) -> list[tuple[str, str, str]]:
    return [(mutation.kind, mutation.before, mutation.after) for mutation in mutations(ast.parse(source))]


def mutants(source: str) -> list[str]:
    """The whole source after each mutation."""
    made = []
    for number in range(len(mutations(ast.parse(source)))):
        tree = ast.parse(source)
        mutations(tree)[number].apply()
        made.append(ast.unparse(tree))
    return made


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a == b", [("comparison", "a == b", "a != b")]),
        ("x = a in b", [("comparison", "a in b", "a not in b")]),
        ("x = a is not b", [("comparison", "a is not b", "a is b")]),
        ("x = a < b", [("comparison", "a < b", "a <= b"), ("comparison", "a < b", "a >= b")]),
        ("x = a and b", [("operator", "a and b", "a or b")]),
        ("x = not a", [("operator", "not a", "a")]),
        ("x = -a", [("operator", "-a", "a")]),
        ("x = a + b", [("operator", "a + b", "a - b")]),
        ("x += a", [("operator", "x += a", "x -= a")]),
        ("x = a ^ b", [("operator", "a ^ b", "a | b")]),
        ("x = a if b else c", [("condition", "b", "not b")]),
        ("x = [a for a in b if a]", [("condition", "a", "not a")]),
        (
            "x = a if b < c else d",
            [("comparison", "b < c", "b <= c"), ("comparison", "b < c", "b >= c"), ("condition", "b < c", "not b < c")],
        ),
        ("while a:\n    pass", [("condition", "a", "not a")]),
        ("if a == b:\n    pass", [("condition", "a == b", "a != b")]),
        ("if not a:\n    pass", [("condition", "not a", "a")]),
    ],
)
def test_each_kind_of_expression_is_changed(source: str, expected: list[tuple[str, str, str]]) -> None:
    assert changes(source) == expected
    assert len({source, *mutants(source)}) == 1 + len(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "changed"),
    [
        ("bool", "a", "not a"),
        ("bool", "True", "False"),
        ("str", "a", "''"),
        ("str", "''", "'changed'"),
        ("int", "a", "a + 1"),
        ("list[int]", "a", "[]"),
        ("dict[str, int]", "a", "{}"),
        ("tuple[int, ...]", "()", "(None,)"),
        ("str | None", "a", "None"),
        ("Report", "a", "None"),
    ],
)
def test_a_return_value_is_replaced_by_another_of_its_type(annotation: str, value: str, changed: str) -> None:
    assert changes(f"def f() -> {annotation}:\n    return {value}") == [("return", value, changed)]


@pytest.mark.parametrize(
    "source",
    [
        '"""a == b"""',
        "def f(a: int | str = 1) -> int | None:\n    '''not a'''\n    return None",
        "x: int | str",
        "Name = int | str",
        "type Name = int | str",
        "if TYPE_CHECKING:\n    from a import b\n    x = 1 + 2",
        "isinstance(a, int | str)",
        "def f():\n    return",
    ],
)
def test_docstrings_and_types_are_not_changed(source: str) -> None:
    assert changes(source) == []


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ("def f():\n    return 1", "def f():\n    return 2", ["f"]),
        (
            "class A:\n    def f(self):\n        return lambda: 1",
            "class A:\n    def f(self):\n        return lambda: 2",
            ["A.f"],
        ),
        ("X = 1\ndef f():\n    return 1", "X = 2\ndef f():\n    return 2", []),
        ("class A:\n    x = 1", "class A:\n    x = 2", []),
        ("def f(a=1):\n    return a", "def f(a=2):\n    return a", []),
    ],
)
def test_functions_that_differ_are_found_unless_code_outside_them_differs(
    before: str, after: str, names: list[str]
) -> None:
    changed = changed_functions(compile(before, "toy", "exec"), compile(after, "toy", "exec"))
    assert [(old.co_qualname, new.co_qualname) for old, new in changed] == [(name, name) for name in names]


def test_lines_of_docstrings_and_of_types_are_not_executable() -> None:
    source = "'Text.'\nif TYPE_CHECKING:\n    import a\n\ndef f():\n    'Text.'\n    return (\n        1 + b\n    )\n"
    assert executable_lines(ast.parse(source)) == {2, 5, 7, 8}


def test_modules_are_paired_with_their_own_test_file_or_the_one_that_the_layout_names() -> None:
    tests = {str(one.path.relative_to(ROOT)): str(one.test.relative_to(ROOT)) for one in subjects(ROOT, "*")}
    assert len(tests) > 100
    assert tests["dashboard/core/modes.py"] == "tests/core/test_modes.py"
    assert tests["dashboard/core/paths/model.py"] == "tests/core/paths/test_finder.py"
    assert [path for path in tests if "/catalogue/" in path or path.endswith("__init__.py")] == []
    assert {one.path.parent.name for one in subjects(ROOT, "paths/*")} == {"paths", "clients"}


def test_a_mutant_that_no_test_notices_survives(tmp_path: Path) -> None:
    """The test below calls ``noticed`` and leaves out ``ignored``, with its three mutants."""
    module = tmp_path / "dashboard" / "core" / "subject" / "toy.py"
    source = (
        "LIMIT = 1 + 1\n\n"
        "def noticed(a: int) -> bool:\n    return a == LIMIT\n\n"
        "def ignored(a: int) -> bool:\n    return a < LIMIT\n"
    )
    test = tmp_path / "tests" / "core" / "subject" / "test_toy.py"
    for path, text in (
        (module, source),
        (test, "from dashboard.core.subject.toy import noticed\n\ndef test_it():\n    assert noticed(2)\n"),
        (tmp_path / "pytest.ini", "[pytest]\n"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before = sorted(tmp_path.rglob("*"))

    def run(*options: str) -> list[str]:
        command = [sys.executable, "-m", "tests.mutation", "--root", str(tmp_path), *options]
        environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    lines = run("--seed", "1")
    assert lines[0] == "seed 1: 5 of 5 mutants in 1 modules"
    assert "killed    dashboard/core/subject/toy.py:4 return: a == LIMIT  ->  a != LIMIT" in lines
    assert "killed    dashboard/core/subject/toy.py:1 operator: 1 + 1  ->  1 - 1" in lines
    assert lines[-1] == "2 of 5 killed"
    assert sorted(lines[-4:-1]) == [
        "survived  dashboard/core/subject/toy.py:7 comparison: a < LIMIT  ->  a <= LIMIT",
        "survived  dashboard/core/subject/toy.py:7 comparison: a < LIMIT  ->  a >= LIMIT",
        "survived  dashboard/core/subject/toy.py:7 return: a < LIMIT  ->  not a < LIMIT",
    ]
    assert run("--coverage") == ["  80.0 %  dashboard.core.subject.toy  7", " 80.00 %  4 of 5 lines"]
    assert module.read_text() == source
    assert sorted(tmp_path.rglob("*")) == before
