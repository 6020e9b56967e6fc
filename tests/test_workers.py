"""How the tests are shared out among workers: tests/support/workers.py."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import workers
from tests.support.processes import ignored_signals
from tests.support.workers import ALONE, GROUPS, SECONDS, Scheduler, scope_of, seconds_of

ROOT = Path(__file__).resolve().parent.parent
QUIET = f"{ALONE[0]}::test"
LONG = f"{next(one for one in SECONDS if one.endswith('.py'))}::test"


class Worker:
    """A worker that notes what it is given."""

    def __init__(self, collection: list[str]) -> None:
        self.collection = collection
        self.given: list[str] = []
        self.shutting_down = False
        self.gateway = SimpleNamespace(id="gw")

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += [self.collection[index] for index in indices]

    def shutdown(self) -> None:
        self.shutting_down = True


def share_out(tests: list[str], count: int = 2) -> tuple[Scheduler, list[Any]]:
    """Workers that have found these tests, and what each is given first."""
    log: Any = SimpleNamespace(loadscopesched=lambda *_: None)
    config: Any = SimpleNamespace(option=SimpleNamespace(), getvalue=lambda _name: count * ["popen"])
    scheduler = Scheduler(config, log)
    made: list[Any] = [Worker(tests) for _ in range(count)]
    for worker in made:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, tests)
    scheduler.schedule()
    return scheduler, made


def test_every_file_that_is_named_is_there_once() -> None:
    named = [*ALONE, *(file for files in GROUPS.values() for file in files)]
    assert len(named) == len(set(named))
    assert [one for one in (*named, *SECONDS) if not (ROOT / one).exists()] == []


def test_a_file_stays_together_and_so_does_a_group() -> None:
    assert scope_of("tests/core/test_x.py::test_one[a::b]") == "tests/core/test_x.py"
    for files in GROUPS.values():
        assert len({scope_of(f"{file}::test") for file in files}) == 1
    assert seconds_of("tests/core/test_x.py") == 0


def test_what_must_be_alone_comes_first_and_the_others_wait() -> None:
    tests = ["a.py::one", "a.py::two", QUIET, f"{QUIET}_two", "b.py::one", "b.py::two", "c.py::one"]
    scheduler, (one, two) = share_out(tests)
    assert one.given[:2] == [QUIET, f"{QUIET}_two"]
    assert two.given == []
    scheduler.mark_test_complete(one, 2)
    assert two.given == []
    scheduler.mark_test_complete(one, 3)
    assert two.given
    assert sorted(one.given + two.given) == sorted(tests)
    assert not scheduler.tests_finished


def test_what_takes_long_begins_before_the_rest_whose_order_stays() -> None:
    tests = ["b.py::one", "a.py::one", "a.py::two", "a.py::three", LONG, "c.py::one"]
    _, (one, two) = share_out(tests)
    assert one.given[0] == LONG
    assert two.given[0] == "b.py::one"


def test_more_workers_than_files_do_not_wait_for_ever() -> None:
    scheduler, made = share_out([QUIET, "a.py::one"], count=3)
    scheduler.mark_test_complete(made[0], 0)
    assert all(worker.shutting_down for worker in made)


def test_a_worker_keeps_its_data_apart(tmp_path: Path) -> None:
    specs = [SimpleNamespace(env={}), SimpleNamespace(env={})]
    workers.own_folders(specs, tmp_path)
    assert len({one.env["NETMODES_DATA_DIR"] for one in specs}) == 2


def test_outside_is_where_one_is_when_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_outside", [])
    here = Path("/proc/thread-self/ns/net").stat().st_ino
    with workers.outside():
        assert Path("/proc/thread-self/ns/net").stat().st_ino == here


def test_a_run_in_the_background_of_a_script_can_be_interrupted_and_so_can_what_it_starts() -> None:
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
