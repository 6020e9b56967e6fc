"""Reads the environment of a measurement: kernel, processor, governor, virtualisation, load and offloads."""

import array
import fcntl
import os
import platform
import socket
import struct
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import Environment
from dashboard.core.measurements.schedule import choose_cores
from dashboard.latency.process import CORE_SLEEP

_CPU = Path("/sys/devices/system/cpu")
_DMI = Path("/sys/class/dmi/id")
_SIOCETHTOOL = 0x8946
#: linux/ethtool.h: the "get" commands that answer with one number.
_OFFLOADS = {"rx-checksum": 0x14, "tx-checksum": 0x16, "sg": 0x18, "tso": 0x1E, "gso": 0x23, "gro": 0x2B}


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip().strip("\0")
    except OSError:
        return ""


def _parse_cores(text: str) -> frozenset[int]:
    """Parses a list of cores as sysfs writes it: ``0-3,8``."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.strip().isdigit():
            found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)


def pick_cores() -> tuple[int | None, int | None]:
    """Returns a core for the client and a core for the responder, both allowed for this process; (None, None) if only
    one is allowed."""
    allowed = sorted(os.sched_getaffinity(0))
    siblings = {
        core: _parse_cores(_read(_CPU / f"cpu{core}/topology/thread_siblings_list")) - {core} for core in allowed
    }
    return choose_cores(allowed, siblings)


def _field(cpuinfo: str, name: str) -> str:
    """Returns the first value of a field of /proc/cpuinfo; empty if the field is missing."""
    pairs = (line.partition(":") for line in cpuinfo.splitlines())
    return next((value.strip() for key, _, value in pairs if key.strip() == name and value.strip()), "")


def _product() -> str:
    """Returns the vendor and the name of the machine as the firmware reports them."""
    return " ".join(part for name in ("sys_vendor", "product_name") if (part := _read(_DMI / name)))


def _cpu_model(cpuinfo: str) -> str:
    """Returns the processor; empty if it is unknown. 64-bit ARM kernels report only numbers of the core's design, which
    processors of several vendors share: the machine's product name follows."""
    for name in ("model name", "Model", "Processor"):
        if value := _field(cpuinfo, name):
            return value
    implementer, part = _field(cpuinfo, "CPU implementer"), _field(cpuinfo, "CPU part")
    if not implementer or not part:
        return ""
    product = _product()
    return f"ARM implementer {implementer}, part {part}{f' ({product})' if product else ''}"


def _virtualisation(cpuinfo: str) -> str:
    """Returns the virtualisation that firmware and processor report; ``none`` if they report nothing, empty if the
    processor has no such report, as on ARM."""
    hypervisor = _read(Path("/sys/hypervisor/type"))
    if hypervisor:
        return hypervisor
    flags = _field(cpuinfo, "flags").split()
    if "hypervisor" in flags:
        product = _product()
        return f"virtual machine ({product})" if product else "virtual machine"
    return "none" if flags else ""


def cores_stay_awake(conditions: Conditions) -> bool:
    """Returns whether idle cores are kept from sleeping during a measurement. In quiet conditions, this is true if this
    process may request it. In ordinary conditions, it is true if another program has requested it. Checks the device
    ``CORE_SLEEP`` (Documentation/power/pm_qos_interface.rst)."""
    if conditions is Conditions.QUIET:
        return os.access(CORE_SLEEP, os.W_OK)
    try:
        latency_us = CORE_SLEEP.read_bytes()
    except OSError:
        return False
    return int.from_bytes(latency_us[:4], sys.byteorder, signed=True) == 0


def load_average() -> tuple[float, float, float] | None:
    """Returns the load averages over 1, 5 and 15 minutes; None if the kernel does not report them."""
    try:
        return os.getloadavg()
    except OSError:
        return None


def read_environment(conditions: Conditions = Conditions.QUIET) -> Environment:
    """Returns the environment of this machine before a run. Reads small files, which takes a few milliseconds.

    The caller adds the engine, MTUs and offloads with ``dataclasses.replace``, and ``load_after`` at the end of the
    run.
    """
    cpuinfo = _read(Path("/proc/cpuinfo"))
    client, responder = pick_cores()
    return Environment(
        kernel=platform.release(),
        machine=platform.machine(),
        cpu_model=_cpu_model(cpuinfo),
        cores=os.cpu_count() or 0,
        client_core=client,
        responder_core=responder,
        governor=_read(_CPU / "cpu0/cpufreq/scaling_governor"),
        cores_awake=cores_stay_awake(conditions),
        virtualisation=_virtualisation(cpuinfo),
        python=platform.python_version(),
        load_before=load_average(),
        conditions=conditions,
    )


def read_machine() -> Environment:
    """Returns the environment of this machine without data of a measurement. The cores of client and responder, the
    load and the conditions are None."""
    return replace(read_environment(), client_core=None, responder_core=None, load_before=None, conditions=None)


def read_offloads(opened: socket.socket, interfaces: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Returns the enabled offloads of each interface, by name. ``opened`` is any socket in the network namespace of the
    interfaces."""
    found = {}
    for name in interfaces:
        on = []
        for offload, command in _OFFLOADS.items():
            value = array.array("I", [command, 0])
            request = struct.pack("16sP16x", name.encode()[:15], value.buffer_info()[0])
            try:
                fcntl.ioctl(opened, _SIOCETHTOOL, request)
            except OSError:
                continue
            if value[1]:
                on.append(offload)
        found[name] = tuple(on)
    return found
