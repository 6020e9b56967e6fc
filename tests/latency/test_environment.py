"""dashboard.latency.environment, on the machine that runs the tests."""

from __future__ import annotations

import os
import platform
import socket
import sys
from pathlib import Path

import pytest

from dashboard.core.measurements.conditions import Conditions
from dashboard.latency import environment
from dashboard.latency.environment import load_average, pick_cores, read_environment, read_machine, read_offloads
from tests.latency.conftest import Lab


def test_the_environment_describes_the_machine() -> None:
    found = read_environment()
    assert found.kernel == platform.release()
    assert found.cores == os.cpu_count()
    assert found.cpu_model
    assert found.virtualisation
    assert found.load_before == pytest.approx(load_average(), abs=1.0)
    assert (found.client_core, found.responder_core) == pick_cores()
    assert found.cores_awake is os.access("/dev/cpu_dma_latency", os.W_OK)


def test_in_ordinary_conditions_cores_are_awake_only_if_another_program_holds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "cpu_dma_latency"
    monkeypatch.setattr(environment, "CORE_SLEEP", device)
    assert read_environment(Conditions.ORDINARY).cores_awake is False
    for latency_us, awake in ((2_000_000_000, False), (70, False), (0, True)):
        device.write_bytes(latency_us.to_bytes(4, sys.byteorder))
        found = read_environment(Conditions.ORDINARY)
        assert (found.conditions, found.cores_awake) == (Conditions.ORDINARY, awake)
    assert read_environment().conditions is Conditions.QUIET
    assert read_machine().conditions is None


ARM = """processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm aes
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1
"""
X86 = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu vme{}\n"
CLOUD = {"/sys/class/dmi/id/sys_vendor": "Amazon EC2", "/sys/class/dmi/id/product_name": "m6g.large"}


@pytest.mark.parametrize(
    ("cpuinfo", "files", "processor", "virtualisation"),
    [
        (ARM, {}, "ARM implementer 0x41, part 0xd0c", ""),
        (ARM, CLOUD, "ARM implementer 0x41, part 0xd0c (Amazon EC2 m6g.large)", ""),
        (ARM, {"/sys/hypervisor/type": "xen"}, "ARM implementer 0x41, part 0xd0c", "xen"),
        (f"{ARM}Model\t\t: Raspberry Pi 4 Model B\n", {}, "Raspberry Pi 4 Model B", ""),
        (X86.format(""), CLOUD, "AMD EPYC", "none"),
        (X86.format(" hypervisor"), CLOUD, "AMD EPYC", "virtual machine (Amazon EC2 m6g.large)"),
        ("processor\t: 0\n", {}, "", ""),
    ],
    ids=["ARM", "ARM in a cloud", "ARM on Xen", "Raspberry Pi", "x86", "x86 virtual", "unknown"],
)
def test_processor_and_virtualisation_are_named_only_as_far_as_the_kernel_reports_them(
    monkeypatch: pytest.MonkeyPatch, cpuinfo: str, files: dict[str, str], processor: str, virtualisation: str
) -> None:
    texts = {"/proc/cpuinfo": cpuinfo, **files}
    monkeypatch.setattr(environment, "_read", lambda path: texts.get(str(path), ""))
    found = read_environment()
    assert (found.cpu_model, found.virtualisation) == (processor, virtualisation)


def test_two_of_the_allowed_cores_are_used() -> None:
    allowed = os.sched_getaffinity(0)
    cores = pick_cores()
    if len(allowed) > 1:
        assert len(set(cores)) == 2
        assert set(cores) <= allowed
    else:
        assert cores == (None, None)


@pytest.mark.parametrize(("text", "expected"), [("0-2,5", {0, 1, 2, 5}), ("7", {7}), ("", set()), ("nonsense", set())])
def test_lists_of_cores_are_read_as_the_kernel_writes_them(text: str, expected: set[int]) -> None:
    assert environment._parse_cores(text) == expected


def test_offloads_are_those_of_the_namespace(lab: Lab) -> None:
    del lab
    with socket.socket() as opened:
        found = read_offloads(opened, ["lo", "no-such-link"])
    assert "gso" in found["lo"]
    assert found["no-such-link"] == ()
