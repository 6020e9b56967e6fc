"""Facts from the kernel about a process."""

from __future__ import annotations

import re


def ignored_signals(status: str) -> set[int]:
    """The signals that a process ignores, from the text of its ``/proc/PID/status`` (proc_pid_status(5))."""
    found = re.search(r"^SigIgn:\s*([0-9a-f]+)", status, re.MULTILINE)
    assert found, status
    mask = int(found[1], 16)
    return {number + 1 for number in range(mask.bit_length()) if mask >> number & 1}
