"""Shifts the clock of a Python process by BENCH_CLOCK_S seconds, in ``time.time`` and ``time.time_ns``.

Python imports this module at its start if its folder is in PYTHONPATH. The Python children of the process are shifted,
too. Dates (``datetime.now``), monotonic clocks, and programs in other languages, such as Docker Engine, use the clock
of the machine.
"""

import os
import time

SHIFT_S = float(os.environ.get("BENCH_CLOCK_S", "0"))
_time, _time_ns = time.time, time.time_ns

if SHIFT_S:
    time.time = lambda: _time() + SHIFT_S
    time.time_ns = lambda: _time_ns() + int(SHIFT_S * 1e9)
