"""The arenas of the allocator, garbage and free space that pile up, and what threads, strings and connections keep."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dashboard.launcher.commands import ALLOCATOR
from dashboard.management import memory
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


#: Python 3.14 collects older objects in steps.
MAX_PAGES = 70 if sys.version_info < (3, 14) else 150


@pytest.mark.parametrize(("limit", "few"), [("limited", True), ("unlimited", False)])
def test_pages_that_were_shown_do_not_pile_up(limit: str, few: bool) -> None:
    done = subprocess.run([sys.executable, "-c", PAGES, limit], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (int(done.stdout) <= MAX_PAGES) is few, done.stdout


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


#: Frees blocks of many sizes in threads that remain, and prints how many KB of them the process still has when the free
#: pages have been returned; then what a program that it starts has in GLIBC_TUNABLES.
THREADS = """
import ctypes, subprocess, threading
from pathlib import Path
from dashboard.management.memory import limit_heap, return_pages
def anonymous_kb():
    rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith("Pss_Anon:"))
limit_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
def work():
    barrier.wait()
    blocks = [(libc.malloc(size), size) for size in range(528, 1032, 16) for _ in range(7)]
    for block, size in blocks:
        ctypes.memset(block, 1, size)
    for block, size in blocks:
        libc.free(block)
    barrier.wait()
    barrier.wait()
barrier = threading.Barrier(33)
threads = [threading.Thread(target=work) for _ in range(32)]
for thread in threads:
    thread.start()
before = anonymous_kb()
barrier.wait()
barrier.wait()
return_pages("stop", {"generation": 2})
print(anonymous_kb() - before, flush=True)
barrier.wait()
subprocess.run(["sh", "-c", "echo [$GLIBC_TUNABLES]"], check=True)
"""


@pytest.mark.parametrize(("setting", "little"), [({"GLIBC_TUNABLES": ALLOCATOR}, True), ({}, False)])
def test_threads_keep_few_freed_blocks(setting: dict[str, str], little: bool) -> None:
    """32 threads free 5 MB. The process starts programs without the setting."""
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"} | setting
    command = [sys.executable, "-c", THREADS]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    kept, inherited = done.stdout.split()
    assert (int(kept) < 3500) is little, done.stdout
    assert inherited == "[]"


#: Interns 65,000 strings as the imports of a lab do, and prints by how many KB 40,000 further ones, which are freed at
#: once, make the process grow.
STRINGS = """
import sys
from pathlib import Path
from dashboard.management.memory import grow_string_table
def anonymous_kb():
    rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith("Pss_Anon:"))
kept = [sys.intern(f"name {number}") for number in range(65_000)]
if sys.argv[1] == "grown":
    grow_string_table()
before = anonymous_kb()
for number in range(40_000):
    sys.intern(f"other {number}")
print(anonymous_kb() - before)
"""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python 3.12 frees no interned strings")
@pytest.mark.parametrize(("table", "little"), [("grown", True), ("not grown", False)])
def test_strings_that_are_soon_freed_do_not_let_the_lab_grow(table: str, little: bool) -> None:
    done = subprocess.run([sys.executable, "-c", STRINGS, table], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (int(done.stdout) < 500) is little, done.stdout


#: Reads a table of 2.5 MB, and prints how many KB the connection has taken.
TABLE = """
import sys
from pathlib import Path
import django
def anonymous_kb():
    rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith("Pss_Anon:"))
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE pages (page BLOB)")
    cursor.executemany("INSERT INTO pages VALUES (zeroblob(%s))", [(4000,)] * 600)
connection.close()
with connection.cursor() as cursor:
    if sys.argv[1] == "unlimited":
        cursor.execute("PRAGMA cache_size = -2000")  # SQLite's default
    cursor.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    before = anonymous_kb()
    cursor.execute("SELECT sum(length(page)) FROM pages").fetchall()
    print(anonymous_kb() - before)
"""


@pytest.mark.parametrize(("limit", "little"), [("limited", True), ("unlimited", False)])
def test_a_connection_to_sqlite_keeps_few_pages(tmp_path: Path, limit: str, little: bool) -> None:
    own = {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "NETMODES_DATA_DIR": str(tmp_path), "DATABASE_URL": ""}
    command = [sys.executable, "-c", TABLE, limit]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, check=True)
    assert (int(done.stdout) < 1200) is little, done.stdout


@pytest.mark.parametrize(("version", "count"), [((3, 12), 0), ((3, 13), memory.STRINGS)])
def test_no_strings_are_interned_where_they_would_stay(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], count: int
) -> None:
    interned: list[str] = []
    monkeypatch.setattr(memory, "sys", SimpleNamespace(version_info=version, intern=interned.append))
    memory.grow_string_table()
    assert len(interned) == count
