"""The number of the allocator's arenas, and how much garbage and free space piles up."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.terminal import ROOT

#: Allocates in many threads at once, then prints the number of arenas (malloc_info(3)).
SCRIPT = """
import ctypes, sys, tempfile, threading
from dashboard.management.memory import limit_heap
if sys.argv[1] == "limited":
    limit_heap()
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


#: Frees a large block below small ones, for the second time, and prints by how many MB the process has grown.
BLOCKS = """
import ctypes, sys
from pathlib import Path
from dashboard.management.memory import limit_heap
def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
if sys.argv[1] == "limited":
    limit_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
before = resident_mb()
for _ in range(2):
    block = libc.malloc(20_000_000)
    ctypes.memset(block, 1, 20_000_000)
    small = libc.malloc(100_000)
    libc.free(block)
print(round(resident_mb() - before))
"""


@pytest.mark.parametrize(("limit", "little"), [("limited", True), ("unlimited", False)])
def test_a_large_block_that_was_freed_leaves_the_process(limit: str, little: bool) -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKS, limit], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (int(done.stdout) <= 5) is little, done.stdout


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


#: Frees blocks between small ones that stay, and prints how many MB of them the process still has after a collection.
GAPS = """
import gc, sys
from pathlib import Path
from dashboard.management.memory import limit_garbage, limit_heap
def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
limit_heap()
if sys.argv[1] == "limited":
    limit_garbage()
before = resident_mb()
blocks = [bytearray(60_000 if number % 2 else 600) for number in range(1000)]
del blocks[1::2]
gc.collect()
print(round(resident_mb() - before))
"""


@pytest.mark.parametrize(("limit", "little"), [("limited", True), ("unlimited", False)])
def test_free_space_between_blocks_leaves_the_process(limit: str, little: bool) -> None:
    done = subprocess.run([sys.executable, "-c", GAPS, limit], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (int(done.stdout) <= 5) is little, done.stdout
