"""Fixtures for tests of the kernel readers: separate namespaces, and a check for leaks."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from dashboard.core.experiments.journal_text import describe_cause
from dashboard.core.namespaces.delta import delta
from dashboard.core.namespaces.state import NamespaceState
from dashboard.netns.namespace import Namespace
from dashboard.netns.watch import listener_feed
from dashboard.netns.watch.namespace_watch import KernelView, Watch
from tests.netns.namespaces import Netns
from tests.support.polling import DEADLINE_S, until


def _held() -> Counter[str]:
    """Open descriptors by kind."""
    found: Counter[str] = Counter()
    for link in tuple(Path("/proc/self/fd").iterdir()):
        try:
            target = os.readlink(link)  # noqa: PTH115 - a Path would be made of what is none
        except FileNotFoundError:
            continue
        found[target.split("[", 1)[0]] += 1
    return found


@pytest.fixture(autouse=True)
def _nothing_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails the test if it leaks a descriptor (and so possibly a namespace) or a thread."""
    if "engine_host" in request.fixturenames:
        request.getfixturevalue("engine_host")
    before, threads = _held(), threading.active_count()
    yield

    def left() -> Counter[str]:
        if _held() - before:
            gc.collect()
        return _held() - before

    until(lambda: threading.active_count() <= threads)
    try:
        until(lambda: not left())  # a thread of an earlier test may use one for a moment
    except AssertionError:
        pytest.fail(f"still open: {dict(left())}")


@pytest.fixture
def make_netns(_nothing_leaks: None) -> Iterator[Callable[[], Netns]]:
    """Creates namespaces that end with the test."""
    made: list[Netns] = []

    def make() -> Netns:
        made.append(Netns())
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def netns(make_netns: Callable[[], Netns]) -> Netns:
    """A namespace with its loopback interface up."""
    made = make_netns()
    made.ip("link", "set", "lo", "up")
    return made


@pytest.fixture
def namespace(netns: Netns) -> Iterator[Namespace]:
    """A handle on the namespace."""
    with Namespace.of_pid(netns.pid) as opened:
        yield opened


@pytest.fixture
def skip_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock of event loops forward by so many seconds: the code under test may have a deadline that no stall
    of the machine exceeds, and the test does not wait for it."""
    monotonic, skipped = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + sum(skipped))
    return skipped.append


def _state(view: KernelView) -> NamespaceState:
    return NamespaceState(0, "", {}, view.interfaces, view.routes, view.listeners, sysctls=view.sysctls)


class Seen(list[str]):
    """Records each change as the journal describes it; passed as ``on_change``. The first change is relative
    to ``before``."""

    before = KernelView()

    def __call__(self, view: KernelView) -> None:
        before, after = _state(self.before), _state(view)
        self.before = view
        self.append(describe_cause(before, delta(before, after)))


@pytest.fixture
def seen() -> Seen:
    """Records the cause of each reported change."""
    return Seen()


@pytest.fixture
async def watch(namespace: Namespace, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watch]:
    """A watch of the namespace that reports to ``seen``. Listeners always have their process: on a busy machine the
    search takes longer than a listener is held back, and then the listener would be reported twice."""
    monkeypatch.setattr(listener_feed, "_OWNER_WAIT_S", DEADLINE_S)
    opened = await Watch.open(namespace, seen)
    seen.before = opened.view
    yield opened
    opened.close()
