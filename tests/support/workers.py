"""The test suite in several processes: where tests run, in which order, and what each worker has of its own.

``./netmodes test`` starts workers of pytest-xdist; ``-n0`` runs everything in one process. See docs/testing.md.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import NodeManager, WorkerController

from dashboard import configuration
from tests.support.polling import until

#: Files that must run alone, because they measure differences of microseconds. They run first; the other workers wait.
ALONE = ("tests/latency/test_told_apart.py",)
ALONE_SCOPE = "alone"
#: Files that must not run at the same time, or that use one deployment, by what they share. One worker runs all files
#: of a group.
GROUPS: dict[str, tuple[str, ...]] = {
    "both cores, for measurements": (
        "tests/lab/measurements/test_worker.py",
        "tests/lab/measurements/test_run.py",
        "tests/latency/test_filtered.py",
        "tests/latency/test_runner.py",
        "tests/management/test_measure.py",
    ),
    "a team deployment": (
        "tests/team/test_between_machines.py",
        "tests/team/test_machine_access.py",
        "tests/team/test_machine_arms.py",
        "tests/team/test_machines.py",
        "tests/team/test_team.py",
    ),
    "a server on the data of version 0013": (
        "tests/management/old_data/test_backup.py",
        "tests/management/old_data/test_pages.py",
        "tests/management/old_data/test_reports.py",
        "tests/management/old_data/test_sessions.py",
        "tests/management/old_data/test_sign_in.py",
    ),
    # These share one experiment and one page of it. The name has the prefix of tests with a browser.
    "tests/browser/experiments/live": (
        "tests/browser/experiments/live/test_changes.py",
        "tests/browser/experiments/live/test_requests.py",
        "tests/browser/experiments/live/test_table.py",
    ),
}
#: Folders with most of the tests, few of which need an engine. In a run of the whole suite only the worker with this
#: number collects and runs them. Collecting all tests takes a worker 20 s of processor time.
OWNERS = {
    **dict.fromkeys(("tests/core", "tests/export", "tests/netns", "tests/store"), 3),
    **dict.fromkeys(("tests/bench", "tests/docs", "tests/launcher", "tests/web"), 1),
}
#: The folder of tests that share a browser and a server.
BROWSER = "tests/browser/"
#: Seconds that a file, or each file of a folder, takes on two idle cores; the first matching prefix counts. Long files
#: start first, so that all workers end at about the same time.
SECONDS: dict[str, int] = {
    "tests/management/old_data/": 7,
    "tests/management/test_upgrading.py": 15,
    "tests/browser/test_widths.py": 25,
    "tests/browser/operations/": 35,
    "tests/browser/experiments/test_views.py": 50,
    "tests/browser/accessibility/test_keyboard_only.py": 15,
    "tests/browser/experiments/test_above_the_fold.py": 25,
    "tests/management/faults/": 35,
    "tests/engine/hosts/test_escapes.py": 50,
    "tests/management/test_up.py": 30,
    "tests/management/pages/test_served_pages.py": 12,
    "tests/management/test_backup.py": 25,
    "tests/management/test_compare.py": 40,
    "tests/lab/experiments/test_driver.py": 12,
    "tests/lab/experiments/running/": 12,
    "tests/lab/claims/test_executor.py": 25,
    "tests/browser/terminal/test_terminal.py": 25,
    "tests/browser/experiments/live/": 14,
    "tests/browser/training/test_sessions.py": 35,
    "tests/browser/accessibility/test_accessibility.py": 30,
    "tests/browser/test_tasks.py": 25,
    "tests/browser/experiments/test_presets.py": 25,
    "tests/browser/training/": 30,
    "tests/browser/measurements/": 30,
    "tests/web/http/test_security_walk.py": 20,
    "tests/engine/facts/": 10,
    "tests/lab/experiments/test_any_engine.py": 45,
    "tests/team/": 25,
    "tests/browser/experiments/test_lifecycle.py": 25,
    "tests/engine/hosts/test_private_host.py": 25,
    "tests/core/measurements/test_verdicts.py": 20,
    "tests/management/test_reap.py": 20,
    "tests/latency/": 20,
    "tests/lab/measurements/test_run.py": 20,
    "tests/browser/": 15,
    "tests/management/accounts/": 15,
    "tests/management/signals/": 15,
    "tests/management/test_hosts.py": 15,
    "tests/management/lans/": 15,
    "tests/lab/engine/test_keeper.py": 12,
    "tests/lab/experiments/columns/test_other_host.py": 12,
    "tests/web/experiments/test_api.py": 12,
    "tests/web/training/test_group_access.py": 15,
    "tests/engine/hosts/test_template.py": 15,
    "tests/engine/lans/": 15,
    "tests/lab/training/": 15,
    "tests/packaging/test_wheel.py": 15,
    "tests/bench/operations/machines/test_isolated.py": 12,
    "tests/store/operations/test_machine_roles.py": 12,
}
#: The time that a worker has to clean up after Ctrl-C: to stop experiments, servers and engines.
CLEAN_UP_S = 60
#: The seconds that workers wait for the first one to compile the tests and what they import.
COMPILE_S = 120.0
#: The network of a worker, as commands of ip(8): loopback, and an interface without a connection.
NETWORK = """\
link set lo up
link add eth0 type veth peer name uplink
link set uplink up
link set eth0 up
address add 198.51.100.2/24 dev eth0
"""

_scopes = {file: name for name, files in GROUPS.items() for file in files} | dict.fromkeys(ALONE, ALONE_SCOPE)
_outside: list[int] = []


def scope_of(nodeid: str) -> str:
    """The tests that run in one worker: a file, or a group of files."""
    file = nodeid.partition("::")[0]
    return _scopes.get(file, file)


def seconds_of(scope: str) -> int:
    """The known duration of a scope; 0 for quick ones."""
    files = GROUPS.get(scope, (scope,))
    return sum(next((known for start, known in SECONDS.items() if file.startswith(start)), 0) for file in files)


def worker_count() -> int:
    """The number of workers: two more than there are cores, because a test waits for engines and pages about half of
    the time; at most six, each with an engine and a server."""
    return min(6, len(os.sched_getaffinity(0)) + 2)


def is_divided(config: pytest.Config) -> bool:
    """Whether each worker collects a part of the tests: if the whole suite runs, with this module's scheduler."""
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and config.getoption("dist") == "load"


def is_left_to_another(config: pytest.Config, path: Path) -> bool:
    """Whether another worker collects this folder. A worker that replaces a crashed one collects all."""
    given = getattr(config, "workerinput", {"is_divided": False})
    owner = OWNERS.get(os.path.relpath(path, config.rootpath))
    if owner is None or not given["is_divided"]:
        return False
    number, count = int(given["workerid"].removeprefix("gw")), int(given["workercount"])
    return number < count and number != owner % count


class Scheduler(LoadScopeScheduling):
    """Assigns whole scopes to workers: first those that must run alone, then those that only this worker has collected,
    then long ones, then the rest in random order. Half of the workers prefer tests with a browser."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._scopes: dict[WorkerController, frozenset[str]] = {}

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Notes the tests that a worker can run. Workers have collected different tests (``OWNERS``)."""
        self.registered_collections[node] = list(collection)
        self._scopes[node] = frozenset(map(scope_of, collection))

    def schedule(self) -> None:
        """Assigns two scopes to each worker, and later to one that replaces a crashed worker: a worker begins a test
        only when it knows the next one."""
        if self.collection is None:
            collected = [test for tests in self.registered_collections.values() for test in tests]
            self.collection = list(dict.fromkeys(collected))
            for test in self.collection:
                self.workqueue.setdefault(scope_of(test), {})[test] = False
            if (session := self.config.pluginmanager.get_plugin("session")) is not None:
                session.testscollected = len(self.collection)
        for node in self.nodes * 2:
            self._reschedule(node)
        if not self.workqueue:  # a worker begins its last test when it knows that none follows
            for node in self.nodes:
                node.shutdown()

    def remove_node(self, node: WorkerController) -> str | None:
        """Returns the scopes that a crashed worker has not completed to the other workers. The superclass would also
        return completed scopes, which have no test left: a worker that gets one would wait for ever."""
        scopes = self.assigned_work[node]
        for scope in [scope for scope, tests in scopes.items() if all(tests.values())]:
            del scopes[scope]
        crashed: str | None = super().remove_node(node)
        return crashed

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

    def _something_is_alone(self) -> bool:
        """Whether a scope that must run alone is running."""
        return any(not done for scopes in self.assigned_work.values() for done in scopes.get(ALONE_SCOPE, {}).values())

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Assigns the next scope. While a scope runs alone, a worker without work keeps waiting, and so does one that
        replaces a crashed worker until it has collected the tests."""
        if node not in self._scopes or (self._something_is_alone() and not self.assigned_work[node]):
            return
        possible = [scope for scope in self.workqueue if scope in self._scopes[node]]
        if not possible:
            node.shutdown()
            return
        first = ALONE_SCOPE if ALONE_SCOPE in possible else max(possible, key=self._preference_of(node))
        self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)

    def _preference_of(self, node: WorkerController) -> Callable[[str], tuple[bool, bool, int]]:
        """The sort key by which a worker chooses its next scope, the greatest first: scopes that no other worker has
        collected; then tests with a browser for every second worker, other tests for the rest; then the longest. A
        worker that alternates between them starts a browser for each file, and every worker starts a server."""
        takes_browser = self.nodes.index(node) % 2 == 0
        others = frozenset[str]().union(*(self._scopes.get(other, ()) for other in self.nodes if other is not node))
        return lambda scope: (
            scope not in others,
            scope.startswith(BROWSER) == takes_browser,
            seconds_of(scope),
        )

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """When no scope runs alone any longer, the waiting workers begin with two scopes each, as at the start."""
        was_alone = self._something_is_alone()
        super().mark_test_complete(node, item_index, duration)
        if was_alone and not self._something_is_alone():
            for waiting in [*self.nodes, *self.nodes]:
                self._reschedule(waiting)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of another pytest process."""
    return hasattr(config, "workerinput")


def _compiled_mark() -> Path | None:
    """The file that exists once a run has compiled its tests; None if bytecode is kept beside the sources."""
    return Path(sys.pycache_prefix, ".tests-compiled") if sys.pycache_prefix else None


def wait_for_bytecode(worker: str) -> None:
    """In the first run, lets the first worker compile what all workers import; otherwise each of them would do the same
    at the same time. No test starts before all workers have collected their tests."""
    mark = _compiled_mark()
    if mark is not None and worker != "gw0" and not mark.exists():
        with suppress(AssertionError):  # the first worker ended, or is slow: this one compiles
            until(mark.exists, COMPILE_S)


def bytecode_is_kept() -> None:
    """Ends the wait of the other workers."""
    mark = _compiled_mark()
    if mark is not None and mark.parent.is_dir():
        mark.touch()


def restore_interrupts() -> None:
    """Sets SIGINT and SIGQUIT as a terminal does. A background job of a script starts with both ignored (POSIX, Shell
    Command Language, 2.11) and its children inherit that, but tests interrupt what they start."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def separate_data_folders(specs: Sequence[Any], data_dir: Path) -> None:
    """Gives each worker its own data folder, and therefore its own database."""
    for number, spec in enumerate(specs):
        spec.env["NETMODES_DATA_DIR"] = str(data_dir / "tests" / str(number))


def enter_network_namespace() -> None:
    """Moves this process into its own network namespace, so that it shares no ports and listeners with other
    processes. Needs root; not used where the database is reached over the machine's network."""
    if os.geteuid() == 0 and not configuration.value("DATABASE_URL"):
        _outside.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        os.unshare(os.CLONE_NEWNET)
        subprocess.run(["ip", "-batch", "-"], input=NETWORK, text=True, check=True, timeout=20)


@contextmanager
def outside() -> Iterator[None]:
    """Moves this thread to the machine's network for downloads."""
    if not _outside:
        yield
        return
    inside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    os.setns(_outside[0], os.CLONE_NEWNET)
    try:
        yield
    finally:
        os.setns(inside, os.CLONE_NEWNET)
        os.close(inside)


def allow_time_to_clean_up() -> None:
    """Makes the process that started the workers wait for them instead of killing them after ten seconds."""
    NodeManager.EXIT_TIMEOUT = CLEAN_UP_S


def ignore_interrupts() -> None:
    """Makes a worker ignore a second Ctrl-C, which would interrupt the removal of engines and servers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def mounts(folder: Path) -> list[str]:
    """The lines of mountinfo (proc_pid_mountinfo(5)) without mounts in folders of other tests than that with
    ``folder``: workers share the machine's mounts, and another one may mount or unmount something at any moment."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if "/pytest-of-" not in line or str(folder) in line]
