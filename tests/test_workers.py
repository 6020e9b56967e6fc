"""The assignment of tests to workers: tests/support/workers.py."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import workers
from tests.support.terminal import ignored_signals
from tests.support.workers import ALONE, GROUPS, SECONDS, Scheduler, scope_of, seconds_of

ROOT = Path(__file__).resolve().parent.parent
QUIET = f"{ALONE[0]}::test"
LONG = f"{next(file for file in SECONDS if file.endswith('.py'))}::test"


class Worker:
    """A worker that records the tests assigned to it."""

    def __init__(self, collection: list[str]) -> None:
        self.collection = collection
        self.given: list[str] = []
        self.shutting_down = False
        self.gateway = SimpleNamespace(id="gw")

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += [self.collection[index] for index in indices]

    def shutdown(self) -> None:
        self.shutting_down = True


def schedule(tests: list[str], count: int = 2) -> tuple[Scheduler, list[Any]]:
    """A scheduler that has assigned these tests, and its workers."""
    return schedule_collected(*count * [tests])


def schedule_collected(*collected: list[str]) -> tuple[Scheduler, list[Any]]:
    """As ``schedule``, with the tests that each worker has collected."""
    log: Any = SimpleNamespace(loadscopesched=lambda *_: None)
    plugins = SimpleNamespace(get_plugin=lambda _name: None)
    config: Any = SimpleNamespace(pluginmanager=plugins, getvalue=lambda _name: len(collected) * ["popen"])
    scheduler = Scheduler(config, log)
    made: list[Any] = [Worker(tests) for tests in collected]
    for worker in made:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, worker.collection)
    scheduler.schedule()
    return scheduler, made


def test_every_named_file_exists_and_is_named_once() -> None:
    named = [*ALONE, *(file for files in GROUPS.values() for file in files)]
    assert len(named) == len(set(named))
    assert [path for path in (*named, *SECONDS) if not (ROOT / path).exists()] == []


def test_the_tests_of_a_file_or_a_group_run_in_one_worker() -> None:
    assert scope_of("tests/core/test_x.py::test_one[a::b]") == "tests/core/test_x.py"
    for files in GROUPS.values():
        assert len({scope_of(f"{file}::test") for file in files}) == 1
    assert seconds_of("tests/core/test_x.py") == 0


def test_files_that_must_run_alone_run_first_while_the_other_workers_wait() -> None:
    tests = ["a.py::one", "a.py::two", QUIET, f"{QUIET}_two", "b.py::one", "b.py::two", "c.py::one"]
    scheduler, (one, two) = schedule(tests)
    assert one.given[:2] == [QUIET, f"{QUIET}_two"]
    assert two.given == []
    scheduler.mark_test_complete(one, 2)
    assert two.given == []
    scheduler.mark_test_complete(one, 3)
    assert two.given
    assert sorted(one.given + two.given) == sorted(tests)
    assert not scheduler.tests_finished


def test_in_the_first_run_the_other_workers_wait_until_the_first_has_compiled_the_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    workers.wait_for_bytecode("gw0")
    waiting = threading.Thread(target=workers.wait_for_bytecode, args=("gw1",))
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    workers.bytecode_is_kept()
    waiting.join(20)
    assert not waiting.is_alive()
    workers.wait_for_bytecode("gw2")


def test_long_files_start_first_and_the_others_keep_their_order() -> None:
    tests = ["b.py::one", "a.py::one", "a.py::two", "a.py::three", LONG, "c.py::one"]
    _, (one, two) = schedule(tests)
    assert one.given[0] == LONG
    assert two.given[0] == "b.py::one"
    _, (one, two) = schedule(["tests/browser/test_a.py::test", "tests/browser/test_widths.py::test", LONG, "a.py::one"])
    assert (one.given[0], two.given[0]) == ("tests/browser/test_widths.py::test", LONG)


def test_tests_with_a_browser_stay_in_one_worker_while_there_are_others() -> None:
    browser = [f"tests/browser/test_{name}.py::test" for name in "abc"]
    others = [f"tests/core/test_{name}.py::test" for name in "abc"]
    _, (one, two) = schedule([*others, *browser])
    assert one.given == browser[:2]
    assert two.given == others[:2]
    _, (one, two) = schedule(browser)
    assert one.given
    assert two.given, "a worker takes what is left"
    _, (one, two, three) = schedule([*others, *browser], count=3)
    assert {*one.given, *three.given} >= set(browser)
    assert two.given == others[:2]


def test_a_worker_first_runs_tests_that_no_other_worker_has_collected() -> None:
    shared, own, other = [f"tests/{name}/test_a.py::test" for name in ("lab", "core", "web")]
    _, (one, two) = schedule_collected([shared, own], [other, shared])
    assert one.given == [own, shared]
    assert two.given == [other]


def test_a_worker_ends_when_the_rest_belongs_to_others() -> None:
    own = [f"tests/core/test_{name}.py::test_{number}" for name in "abc" for number in range(9)]
    scheduler, (one, two) = schedule_collected(own, ["tests/web/test_a.py::test"])
    assert two.shutting_down
    assert not one.shutting_down
    for index in range(len(own)):
        scheduler.mark_test_complete(one, index)
    scheduler.mark_test_complete(two, 0)
    assert sorted(one.given) == sorted(own)
    assert one.shutting_down
    assert not scheduler.has_pending


def test_a_worker_that_replaces_a_crashed_one_continues_its_work() -> None:
    own = [f"tests/core/test_{name}.py::test" for name in "abcde"]
    shared = ["tests/lab/test_a.py::test"]
    scheduler, (one, two) = schedule_collected(own, shared)
    crashed = scheduler.remove_node(one)
    assert crashed == one.given[0]
    another: Any = Worker([*shared, *own])
    scheduler.add_node(another)
    scheduler.add_node_collection(another, another.collection)
    scheduler.schedule()
    assert another.given[0] in own
    assert two.given == shared


def test_a_replacement_gets_two_scopes_that_are_not_completed() -> None:
    own = [f"tests/core/test_{name}.py::test" for name in "abcdefg"]
    scheduler, (one, two) = schedule_collected(own, ["tests/lab/test_a.py::test"])
    for index in range(3):
        scheduler.mark_test_complete(one, own.index(one.given[index]))
    assert two.shutting_down
    assert scheduler.remove_node(one) == one.given[3]
    another: Any = Worker(own)
    scheduler.add_node(another)
    scheduler.add_node_collection(another, another.collection)
    scheduler.schedule()
    assert len(another.given) == 2
    assert set(another.given).isdisjoint(one.given[:3])


def test_while_a_replacement_collects_the_tests_the_others_go_on() -> None:
    shared = [f"tests/lab/test_{name}.py::test" for name in "abcdefg"]
    scheduler, (one, two, three) = schedule(shared, count=3)
    scheduler.remove_node(one)
    another: Any = Worker(shared)
    scheduler.add_node(another)
    before = len(two.given)
    scheduler.mark_test_complete(two, shared.index(two.given[0]))
    assert len(two.given) == before + 1
    scheduler.remove_node(three)
    assert another.given == []
    assert not another.shutting_down
    scheduler.add_node_collection(another, another.collection)
    scheduler.schedule()
    assert another.given


@pytest.mark.parametrize(
    ("source", "dist", "divided"),
    [("TESTPATHS", "load", True), ("ARGS", "load", False), ("TESTPATHS", "worksteal", False)],
)
def test_only_the_whole_suite_with_its_own_scheduler_is_divided(source: str, dist: str, divided: bool) -> None:
    options = {"dist": dist}
    config: Any = SimpleNamespace(args_source=pytest.Config.ArgsSource[source], getoption=options.__getitem__)
    assert workers.is_divided(config) is divided


@pytest.mark.parametrize(
    ("worker", "count", "left"),
    [("gw0", 4, 2), ("gw1", 4, 1), ("gw3", 4, 1), ("gw0", 3, 1), ("gw0", 1, 0), ("gw4", 4, 0)],
)
def test_each_folder_is_left_to_one_worker(worker: str, count: int, left: int) -> None:
    given = {"is_divided": True, "workerid": worker, "workercount": count}
    folders = [ROOT / "tests/core", ROOT / "tests/web", ROOT / "tests/lab", ROOT / "tests/core/paths"]
    config: Any = SimpleNamespace(rootpath=ROOT, workerinput=given)
    assert sum(workers.is_left_to_another(config, folder) for folder in folders) == left
    given["is_divided"] = False
    assert not any(workers.is_left_to_another(config, folder) for folder in folders)
    config = SimpleNamespace(rootpath=ROOT)
    assert not any(workers.is_left_to_another(config, folder) for folder in folders), "a run in one process"


def test_every_folder_with_an_owner_exists() -> None:
    assert all((ROOT / folder).is_dir() for folder in workers.OWNERS)


def test_a_group_has_one_owner() -> None:
    """Otherwise a worker would get tests that it has not collected."""
    for files in GROUPS.values():
        assert len({workers.OWNERS.get("/".join(file.split("/")[:2])) for file in files}) == 1


@pytest.mark.parametrize(("cores", "count"), [(1, 3), (2, 4), (4, 6), (64, 6)])
def test_two_workers_more_than_cores_use_the_time_in_which_others_wait(
    monkeypatch: pytest.MonkeyPatch, cores: int, count: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(cores)))
    assert workers.worker_count() == count


def test_workers_without_files_end() -> None:
    scheduler, made = schedule([QUIET, "a.py::one"], count=3)
    scheduler.mark_test_complete(made[0], 0)
    assert all(worker.shutting_down for worker in made)


def test_each_worker_has_its_own_data_folder(tmp_path: Path) -> None:
    specs = [SimpleNamespace(env={}), SimpleNamespace(env={})]
    workers.separate_data_folders(specs, tmp_path)
    assert len({spec.env["NETMODES_DATA_DIR"] for spec in specs}) == 2


def test_in_a_single_process_outside_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_outside", [])
    here = Path("/proc/thread-self/ns/net").stat().st_ino
    with workers.outside():
        assert Path("/proc/thread-self/ns/net").stat().st_ino == here


def test_a_background_job_of_a_script_and_its_children_can_be_interrupted() -> None:
    program = """
        import os, signal
        from tests.support import workers
        assert signal.getsignal(signal.SIGINT) == signal.getsignal(signal.SIGQUIT) == signal.SIG_IGN
        workers.restore_interrupts()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        os.execvp("cat", ["cat", "/proc/self/status"])
    """
    command = ["sh", "-c", 'trap "" INT QUIT; exec "$@"', "sh", sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ignored_signals(done.stdout).isdisjoint({signal.SIGINT, signal.SIGQUIT})
