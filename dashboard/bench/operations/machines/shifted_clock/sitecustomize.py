"""Python imports this at its start if its folder is in PYTHONPATH: the clock of the process is BENCH_CLOCK_S
seconds fast. Monotonic clocks and the clocks of other processes are unchanged."""

import os
import time

SHIFT_S = float(os.environ.get("BENCH_CLOCK_S", "0"))
_time, _time_ns = time.time, time.time_ns

if SHIFT_S:
    time.time = lambda: _time() + SHIFT_S
    time.time_ns = lambda: _time_ns() + int(SHIFT_S * 1e9)
