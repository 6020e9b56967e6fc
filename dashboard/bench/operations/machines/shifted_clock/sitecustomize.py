"""Shifts the clock of a Python process. Python imports this module at its start if its folder is in PYTHONPATH. Then
``time.time`` and ``time.time_ns`` are BENCH_CLOCK_S seconds fast, in this process and in its Python children. Dates
(``datetime.now``), monotonic clocks, and programs in other languages, such as Docker Engine, use the clock of the
machine."""

import os
import time

SHIFT_S = float(os.environ.get("BENCH_CLOCK_S", "0"))
_time, _time_ns = time.time, time.time_ns

if SHIFT_S:
    time.time = lambda: _time() + SHIFT_S
    time.time_ns = lambda: _time_ns() + int(SHIFT_S * 1e9)
