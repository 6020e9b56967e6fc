"""Which tests are marked ``engine``: tests/support/selection.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.support.selection import ENGINE_FIXTURES, mark_engine_tests

TESTS = Path(__file__).parent
#: Functions that start an engine.
STARTS = {"private_engine", "private_host.start", "start_private_engine", "podman_service"}


def item(*fixtures: str) -> Any:
    """A collected test with these fixtures, which records its marks."""
    marks: list[str] = []
    return SimpleNamespace(fixturenames=fixtures, add_marker=marks.append, marks=marks)


def test_a_test_is_marked_if_its_fixtures_include_an_engine() -> None:
    on_engine, on_fake, doctest = item("tmp_path", "engine_host"), item("fake"), SimpleNamespace()
    mark_engine_tests([on_engine, on_fake, doctest])  # type: ignore[list-item]  # what pytest collects has more
    assert on_engine.marks == ["engine"]
    assert on_fake.marks == []


def test_the_tests_of_this_run_have_these_marks(request: Any) -> None:
    for collected in request.session.items:
        if ENGINE_FIXTURES.intersection(getattr(collected, "fixturenames", ())):
            assert collected.get_closest_marker("engine") is not None


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def starts_an_engine(function: ast.AST) -> bool:
    return any(isinstance(node, ast.Call) and ast.unparse(node.func) in STARTS for node in ast.walk(function))


def is_fixture(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(each).startswith("pytest.fixture") for each in function.decorator_list)


def test_functions_that_start_an_engine_are_listed_fixtures_or_in_a_file_with_the_mark() -> None:
    unknown = []
    for path in [TESTS / "conftest.py", *TESTS.rglob("test_*.py")]:
        text = path.read_text()
        starting = [each for each in functions(ast.parse(text)) if starts_an_engine(each)]
        listed = all(is_fixture(each) and each.name in ENGINE_FIXTURES for each in starting)
        if not listed and "pytest.mark.engine" not in text:
            unknown.append(str(path))
    assert unknown == []


def test_every_listed_fixture_exists() -> None:
    trees = [
        ast.parse(path.read_text()) for path in (TESTS / "conftest.py", TESTS / "lab" / "engine" / "test_faults.py")
    ]
    assert {each.name for tree in trees for each in functions(tree) if is_fixture(each)} >= ENGINE_FIXTURES
