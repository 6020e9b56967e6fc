"""Mutation testing of ``dashboard/core``: changes one expression at a time and runs the module's own test file.

Each mutant runs in a forked process that imports the changed module from memory. Nothing is written to the tree.
``python -m tests.mutation --help`` lists the options.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from multiprocessing import connection
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from tests.mutators import Mutation, is_type_checking, mutations

ROOT = Path(__file__).resolve().parent.parent
MAX_MEMORY_BYTES = 4 * 2**30
#: Imported once, before any process is forked: what is slow to import and not part of the tree under test.
PRELOADED = ["anyio.pytest_plugin", "channels.apps", "django.db.models", "django.test", "docker", "msgspec", "sqlite3"]
PRELOADED += ["hypothesis.strategies", "pytest_asyncio.plugin", "pytest_django.plugin", "xdist.plugin"]
PYTEST = ["-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"]
PYTEST += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]


@dataclass(frozen=True)
class Subject:
    """A module, and the test file that must notice its changes."""

    name: str
    path: Path
    test: Path

    def tree(self) -> ast.Module:
        """The parsed source."""
        return ast.parse(self.path.read_text())


def subjects(root: Path, pattern: str) -> list[Subject]:
    """The modules of core that have tests of their own, or a test file that tests/test_layout.py names for them."""
    tables = _layout_tables(root)
    found = []
    for path in sorted((root / "dashboard" / "core").rglob("*.py")):
        inside = path.relative_to(root / "dashboard")
        folder = root / "tests" / inside.parent
        reason = tables.get("NO_TEST_OF_ITS_OWN", {}).get(str(inside), "")
        names = [f"test_{path.stem}", *re.findall(r"\btest_\w+", reason)]
        tests = [test for name in names for test in sorted(folder.glob(f"{name}.py"))]
        catalogue = set(inside.parts) & set(tables.get("TESTED_AS_ONE", {}))
        if tests and not catalogue and path.name != "__init__.py" and fnmatch(str(inside), f"core/{pattern}"):
            found.append(Subject(".".join(("dashboard", *inside.with_suffix("").parts)), path, tests[0]))
    return found


def _layout_tables(root: Path) -> dict[str, dict[str, str]]:
    """The tables of tests/test_layout.py, by name."""
    layout = root / "tests" / "test_layout.py"
    tree = ast.parse(layout.read_text() if layout.exists() else "")
    assigned = [
        (ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0]), node.value)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
    ]
    return {name: ast.literal_eval(value) for name, value in assigned if isinstance(value, ast.Dict)}


class _Importer(importlib.abc.MetaPathFinder):
    """Imports one module from compiled code, and leaves all others to the usual importers."""

    def __init__(self, subject: Subject, code: CodeType) -> None:
        self.subject, self.code = subject, code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.subject.name:
            return None
        loader = importlib.machinery.SourceFileLoader(fullname, str(self.subject.path))
        setattr(loader, "get_code", lambda _: self.code)  # noqa: B010 - mypy rejects the assignment
        return importlib.util.spec_from_file_location(fullname, self.subject.path, loader=loader)


class Job:
    """The test file of a subject, run in a forked process: with a mutation, or as it is."""

    def __init__(self, root: Path, subject: Subject, tree: ast.Module, mutation: Mutation | None, limit_s: float):
        self.root, self.subject, self.tree, self.mutation = root, subject, tree, mutation
        self.folder = Path(tempfile.mkdtemp())
        self.process = multiprocessing.get_context("fork").Process(target=self._run, daemon=True)
        self.started = time.monotonic()
        self.deadline = self.started + limit_s
        self.process.start()

    def _run(self) -> None:
        os.setsid()
        output = os.open(self.folder / "output", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
        sys.pycache_prefix = f"{tempfile.gettempdir()}/bytecode"
        os.environ |= {"NETMODES_DATA_DIR": str(self.folder), "HYPOTHESIS_STORAGE_DIRECTORY": str(self.folder)}
        os.chdir(self.root)
        sys.path[0] = str(self.root)
        for name in [name for name in sys.modules if name.partition(".")[0] in {"dashboard", "tests"}]:
            del sys.modules[name]
        if self.mutation:
            self.mutation.apply()
        code = compile(self.tree, str(self.subject.path), "exec", dont_inherit=True)
        sys.meta_path.insert(0, _Importer(self.subject, code))
        lines = _record_lines(code.co_filename) if self.mutation is None else set()
        status = pytest.main([*PYTEST, f"--rootdir={self.root}", str(self.subject.test)])
        (self.folder / "lines").write_text(" ".join(str(line) for line in sorted(lines)))
        sys.stdout.flush()
        os._exit(status)

    def end(self) -> str:
        """Waits for the process: ``passed``, ``failed`` or ``timeout``."""
        if timeout := self.process.is_alive():
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.join()
        return "timeout" if timeout else "failed" if self.process.exitcode else "passed"

    def output(self) -> str:
        """What pytest printed."""
        return (self.folder / "output").read_text(errors="replace")

    def lines(self) -> set[int]:
        """The lines of the module that were executed."""
        return {int(line) for line in (self.folder / "lines").read_text().split()}


def _record_lines(filename: str) -> set[int]:
    """A set that fills with the lines of a file as they are executed."""
    lines: set[int] = set()

    def record(code: CodeType, line: int) -> object:
        if code.co_filename == filename:
            lines.add(line)
        return sys.monitoring.DISABLE

    sys.monitoring.use_tool_id(sys.monitoring.COVERAGE_ID, "mutation")
    sys.monitoring.register_callback(sys.monitoring.COVERAGE_ID, sys.monitoring.events.LINE, record)
    sys.monitoring.set_events(sys.monitoring.COVERAGE_ID, sys.monitoring.events.LINE)
    return lines


def executable_lines(tree: ast.Module) -> set[int]:
    """The lines that a complete test executes: docstrings and ``TYPE_CHECKING`` blocks are left out."""
    ignored: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and is_type_checking(node):
            ignored |= {line for child in node.body for line in range(child.lineno, (child.end_lineno or 0) + 1)}
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            ignored |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    pending, lines = [compile(tree, "", "exec", dont_inherit=True)], set[int]()
    while pending:
        code = pending.pop()
        lines |= {line for _, _, line in code.co_lines() if line}
        pending += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return lines - ignored


def run_all(jobs: Iterator[Callable[[], Job]], at_once: int, finished: Callable[[Job, str], None]) -> None:
    """Starts jobs, as many at once as given, and reports each that ends or exceeds its time limit."""
    running: list[Job] = []
    waiting = True
    while waiting or running:
        while waiting and len(running) < at_once:
            if start := next(jobs, None):
                running.append(start())
            waiting = start is not None
        if not running:
            break
        left = min(job.deadline for job in running) - time.monotonic()
        connection.wait([job.process.sentinel for job in running], timeout=max(0, left))
        for job in [job for job in running if not job.process.is_alive() or job.deadline <= time.monotonic()]:
            running.remove(job)
            finished(job, job.end())
            shutil.rmtree(job.folder)


def measure(root: Path, found: Sequence[Subject], at_once: int) -> dict[Subject, tuple[set[int], float]]:
    """Runs the tests of modules as they are: the executed lines of each, and the seconds it took."""
    measured: dict[Subject, tuple[set[int], float]] = {}

    def finished(job: Job, outcome: str) -> None:
        if outcome != "passed":
            sys.exit(f"{job.subject.test} {outcome} without a mutation:\n{job.output()}")
        measured[job.subject] = job.lines(), time.monotonic() - job.started

    run_all((partial(Job, root, subject, subject.tree(), None, 300) for subject in found), at_once, finished)
    return measured


def print_coverage(root: Path, found: Sequence[Subject], at_once: int) -> None:
    """Prints how many lines of each module its test file executes."""
    measured = measure(root, found, at_once)
    total = covered = 0
    for subject in found:
        lines = executable_lines(subject.tree())
        missing = sorted(lines - measured[subject][0])
        total, covered = total + len(lines), covered + len(lines) - len(missing)
        percent = 100 * (len(lines) - len(missing)) / max(1, len(lines))
        _print(f"{percent:6.1f} %  {subject.name}  {' '.join(map(str, missing))}")
    _print(f"{100 * covered / max(1, total):6.2f} %  {covered} of {total} lines")


def print_mutants(root: Path, found: Sequence[Subject], at_once: int, count: int, seed: int) -> None:
    """Runs a random sample of all mutants, and prints which ones the tests do not notice."""
    trees = {subject: subject.tree() for subject in found}
    mutants = [(subject, mutation) for subject in found for mutation in mutations(trees[subject])]
    sample = random.Random(seed).sample(mutants, min(count, len(mutants)))
    _print(f"seed {seed}: {len(sample)} of {len(mutants)} mutants in {len(found)} modules")
    measured = measure(root, list(dict.fromkeys(subject for subject, _ in sample)), at_once)
    survivors: list[str] = []

    def finished(job: Job, outcome: str) -> None:
        place = job.subject.path.relative_to(root)
        text = f"{place}:{job.mutation}"
        if outcome == "passed":
            survivors.append(text)
        _print(f"{'survived' if outcome == 'passed' else 'killed'}  {text}")

    jobs = (partial(Job, root, s, trees[s], mutation, 20 + 10 * measured[s][1]) for s, mutation in sample)
    run_all(jobs, at_once, finished)
    _print(f"{len(sample) - len(survivors)} of {len(sample)} killed", *(f"survived  {text}" for text in survivors))


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="repeats a sample")
    parser.add_argument("--count", type=int, default=100, help="size of the sample")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--module", default="*", metavar="GLOB", help="modules below dashboard/core, such as paths/*")
    parser.add_argument("--coverage", action="store_true", help="print the line coverage of modules instead")
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout")
    options = parser.parse_args()
    for name in PRELOADED:
        importlib.import_module(name)
    found = subjects(options.root, options.module)
    with tempfile.TemporaryDirectory(prefix="netmodes-mutation-") as tempfile.tempdir:
        if options.coverage:
            print_coverage(options.root, found, options.jobs)
        else:
            print_mutants(options.root, found, options.jobs, options.count, options.seed)


if __name__ == "__main__":
    main()
