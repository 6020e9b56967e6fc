"""The number of the allocator's arenas."""

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
