"""Mutation testing of ``dashboard/core``: changes one expression at a time and runs the module's own test file.

One process for each test file collects its tests. It forks for each mutant, which replaces the code of the changed
function. A change of code that runs during the import or the collection takes a process that imports the changed
module from memory. Nothing is written to the tree.
``python -m tests.mutation --help`` lists the options.
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from multiprocessing import connection
from pathlib import Path
from sys import monitoring
from types import CodeType, FunctionType, ModuleType

import pytest
from hypothesis import Phase, settings

from tests.core_subjects import PYTEST, ROOT, Subject, enter_tree, subjects
from tests.mutators import Mutation, changed_functions, executable_lines, mutations

MAX_MEMORY_BYTES = 4 * 2**30
MAX_IMPORTED_S = 120
#: Exit code of a fork: its mutation takes effect only if the module is imported with it.
NEEDS_IMPORT = 90
TOOL = monitoring.COVERAGE_ID
#: Coverage is printed even if tests fail.
GO_ON = ("--maxfail=1000", "--continue-on-collection-errors")
#: Modules that are imported once, before any process is forked: slow ones that are not part of the tree under test.
PRELOADED = ["anyio.pytest_plugin", "channels.apps", "django.db.models", "django.test", "docker", "msgspec", "sqlite3"]
PRELOADED += ["hypothesis.strategies", "pytest_asyncio.plugin", "pytest_django.plugin", "xdist.plugin"]


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


class _WithoutShrinking:
    """A plugin of pytest: lets hypothesis stop at the first example that fails."""

    def pytest_pycollect_makemodule(self) -> None:
        """Changes the profile that conftest.py loaded."""
        settings.register_profile("mutation", settings(), phases=(Phase.explicit, Phase.generate))
        settings.load_profile("mutation")


class _Forks(_WithoutShrinking):
    """A plugin of pytest: runs the collected tests in one fork as they are, and in one for each mutation."""

    def __init__(self, code: CodeType, tree: ast.Module, changes: Sequence[Mutation], results: Path) -> None:
        self.code, self.tree, self.changes, self.results = code, tree, changes, results
        self._started: set[CodeType] = set()
        monitoring.use_tool_id(TOOL, "mutation")
        monitoring.register_callback(TOOL, monitoring.events.PY_START, self._on_start)
        monitoring.set_events(TOOL, monitoring.events.PY_START)

    def _on_start(self, code: CodeType, offset: int) -> object:
        if code.co_filename == self.code.co_filename:
            self._started.add(code)
        return monitoring.DISABLE

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Returns in the forks, which go on with the tests. The process itself ends here."""
        limit_s = 600
        for number, change in enumerate([None, *self.changes]):
            if not (child := os.fork()):
                resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
                if change:
                    monitoring.set_events(TOOL, 0)
                    self._mutate(change)
                return
            _, status, usage = os.wait4(child, 0)
            with self.results.open("a") as file:
                file.write(f"{number} {os.waitstatus_to_exitcode(status)}\n")
            if number == 0:
                limit_s = 5 + 3 * int(usage.ru_utime + usage.ru_stime)
                if status:
                    break
        os._exit(0)

    def _mutate(self, change: Mutation) -> None:
        change.apply()
        replaced = changed_functions(self.code, compile(self.tree, self.code.co_filename, "exec", dont_inherit=True))
        functions = [function for function in gc.get_objects() if type(function) is FunctionType]
        for old, new in replaced or [(self.code, self.code)]:
            live = [function for function in functions if function.__code__ == old]
            if not live or old in self._started or old.co_freevars != new.co_freevars:
                os._exit(NEEDS_IMPORT)
            for function in live:
                function.__code__ = new


class Job:
    """A process that runs a test file: with the one change ``imported``, or in forks for each of ``changes``."""

    def __init__(
        self, root: Path, subject: Subject, tree: ast.Module, changes: Sequence[Mutation] = (), imported: bool = False
    ) -> None:
        self.root, self.subject, self.tree, self.changes, self.imported = root, subject, tree, changes, imported
        self.folder = Path(tempfile.mkdtemp())
        self.process = multiprocessing.get_context("fork").Process(target=self._run, daemon=True)
        self.process.start()

    def _run(self) -> None:
        output = os.open(self.folder / "output", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
        enter_tree(self.root, self.folder)
        if self.imported:
            self.changes[0].apply()
            resource.setrlimit(resource.RLIMIT_CPU, (MAX_IMPORTED_S, MAX_IMPORTED_S))
        code = compile(self.tree, str(self.subject.path), "exec", dont_inherit=True)
        sys.meta_path.insert(0, _Importer(self.subject, code))
        arguments = [*PYTEST, f"--rootdir={self.root}", str(self.subject.test)]
        if self.imported:
            plugin = _WithoutShrinking()
        else:
            plugin = _Forks(code, self.tree, self.changes, self.folder / "results")
        status = pytest.main(arguments, plugins=[plugin])
        sys.stdout.flush()
        os._exit(status)

    def outcomes(self) -> list[int]:
        """The exit codes of the forks, that of the unchanged module first. Empty if its tests fail."""
        results = self.folder / "results"
        codes = [int(line.split()[1]) for line in results.read_text().splitlines()] if results.exists() else []
        return codes if codes[:1] == [0] else []


def run_all(jobs: deque[partial[Job]], at_once: int, finished: Callable[[Job], None]) -> None:
    """Runs jobs, as many at once as given. ``finished`` may add further jobs."""
    running: list[Job] = []
    while jobs or running:
        while jobs and len(running) < at_once:
            running.append(jobs.popleft()())
        ended = connection.wait([job.process.sentinel for job in running])
        for job in [job for job in running if job.process.sentinel in ended]:
            job.process.join()
            running.remove(job)
            finished(job)
            shutil.rmtree(job.folder)


class _Coverage:
    """A plugin of pytest: records which lines each test file executes. Those of imports have the path None."""

    def __init__(self) -> None:
        self._test: Path | None = None
        self._lines: dict[tuple[Path | None, str], set[int]] = defaultdict(set)
        monitoring.use_tool_id(TOOL, "coverage")
        monitoring.register_callback(TOOL, monitoring.events.LINE, self._on_line)
        monitoring.set_events(TOOL, monitoring.events.LINE)

    def _on_line(self, code: CodeType, line: int) -> object:
        self._lines[self._test, code.co_filename].add(line)
        return monitoring.DISABLE

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Records every line anew when another test file begins."""
        if item.path != self._test:
            self._test = item.path
            monitoring.restart_events()

    def lines(self, subject: Subject) -> set[int]:
        """The lines of a module that its import and its own test file executed."""
        return self._lines[None, str(subject.path)] | self._lines[subject.test, str(subject.path)]


def print_coverage(root: Path, found: Sequence[Subject]) -> None:
    """Prints how many lines of each module its test file executes, and the numbers of the other lines."""
    enter_tree(root, Path(tempfile.gettempdir()))
    coverage, output = _Coverage(), io.StringIO()
    tests = dict.fromkeys(str(subject.test) for subject in found)
    with redirect_stdout(output):
        status = pytest.main([*PYTEST, *GO_ON, f"--rootdir={root}", *tests], plugins=[coverage])
    total = covered = 0
    for subject in found:
        lines = executable_lines(subject.tree())
        missing = sorted(lines - coverage.lines(subject))
        total, covered = total + len(lines), covered + len(lines) - len(missing)
        percent = 100 * (len(lines) - len(missing)) / max(1, len(lines))
        _print(f"{percent:6.1f} %  {subject.name}  {' '.join(str(line) for line in missing)}".rstrip())
    _print(f"{100 * covered / max(1, total):6.2f} %  {covered} of {total} lines")
    if status:
        sys.exit(output.getvalue())


def print_mutants(root: Path, found: Sequence[Subject], at_once: int, count: int, seed: int) -> None:
    """Runs a random sample of all mutants, and prints which ones the tests do not notice."""
    trees = {subject: subject.tree() for subject in found}
    mutants = [(subject, mutation) for subject in found for mutation in mutations(trees[subject])]
    sample = random.Random(seed).sample(mutants, min(count, len(mutants)))
    _print(f"seed {seed}: {len(sample)} of {len(mutants)} mutants in {len(found)} modules")
    changes: dict[Subject, list[Mutation]] = {}
    for subject, mutation in sample:
        changes.setdefault(subject, []).append(mutation)
    killed = 0
    survivors: list[str] = []
    failing: list[str] = []
    jobs = deque(partial(Job, root, subject, trees[subject], own) for subject, own in changes.items())

    def finished(job: Job) -> None:
        nonlocal killed
        codes = [0, job.process.exitcode] if job.imported else job.outcomes()
        if not codes:
            failing.append(f"{job.subject.test} fails without a mutation:\n{(job.folder / 'output').read_text()}")
            return
        for mutation, code in zip(job.changes, codes[1:], strict=True):
            if code == NEEDS_IMPORT:
                jobs.append(partial(Job, root, job.subject, job.tree, [mutation], imported=True))
                continue
            text = f"{job.subject.path.relative_to(root)}:{mutation}"
            if code:
                killed += 1
                _print(f"killed    {text}")
            else:
                survivors.append(text)
                _print(f"survived  {text}")

    run_all(jobs, at_once, finished)
    _print(*(f"survived  {text}" for text in survivors), f"{killed} of {killed + len(survivors)} killed")
    if failing:
        sys.exit("\n".join(failing))


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
            print_coverage(options.root, found)
        else:
            print_mutants(options.root, found, options.jobs, options.count, options.seed)


if __name__ == "__main__":
    main()
