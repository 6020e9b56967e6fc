"""The number of the allocator's arenas, and how much garbage piles up."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.terminal import ROOT

#: Allocates in many threads at once, then prints the number of arenas (malloc_info(3)).
SCRIPT = """
import ctypes, sys, tempfile, threading
from dashboard.management.memory import limit_arenas
if sys.argv[1] == "limited":
    limit_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
barrier = threading.Barrier(33)
def allocate():
    barrier.wait()
    libc.malloc(5000)
    barrier.wait()
threads = [threading.Thread(target=allocate) for _ in range(32)]
for thread in threads:
    thread.start()
barrier.wait()
barrier.wait()
with tempfile.NamedTemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(file.read().count(b"<heap nr="))
"""


@pytest.mark.parametrize(("limit", "few"), [("limited", True), ("unlimited", False)])
def test_threads_share_two_arenas(limit: str, few: bool) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, limit], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (int(done.stdout) <= 2) is few, done.stdout


#: Computes pages that leave cycles behind, and prints how many of them existed at most.
PAGES = """
import gc, sys, weakref
from collections import deque
from dashboard.management.memory import limit_garbage
program = [{} for _ in range(100_000)]
gc.collect()
if sys.argv[1] == "limited":
    limit_garbage()
class Page:
    def __init__(self):
        self.parts = [{"page": self} for _ in range(700)]
        pages.add(self)
pages, current, most = weakref.WeakSet(), deque(maxlen=32), 0
for _ in range(1000):
    current.append(Page())
    most = max(most, len(pages))
print(most)
"""


@pytest.mark.parametrize(("limit", "few"), [("limited", True), ("unlimited", False)])
def test_pages_that_were_shown_do_not_pile_up(limit: str, few: bool) -> None:
    done = subprocess.run([sys.executable, "-c", PAGES, limit], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (int(done.stdout) <= 150) is few, done.stdout
