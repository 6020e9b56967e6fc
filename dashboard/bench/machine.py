"""What a reader must know of the machine to judge a figure."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

import psutil

from dashboard.engine.protocol import EngineInfo

CPUINFO = Path("/proc/cpuinfo")


def processor(cpuinfo: str) -> str:
    """The processor's name in the text of /proc/cpuinfo; what the architecture is called where there is none."""
    found = re.search(r"^(?:model name|Hardware|cpu model)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def say_load() -> str:
    """Load averages over 1, 5 and 15 minutes (getloadavg(3))."""
    return " ".join(f"{one:.2f}" for one in os.getloadavg())


def machine_facts(engine: EngineInfo) -> dict[str, str]:
    """Names and values, in the order in which they are shown."""
    try:
        cpuinfo = CPUINFO.read_text(errors="replace")
    except OSError:
        cpuinfo = ""
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "processor": processor(cpuinfo),
        "cores": f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}",
        "memory": f"{psutil.virtual_memory().total / 1e9:.1f} GB",
        "engine": f"Docker Engine {engine.version}, API {engine.api}, cgroup v{engine.cgroup_version}, a private host",
        "python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in ("Django", "uvicorn", "uvloop", "websockets")),
        "load before": say_load(),
    }
