"""The seccomp filter: the program for each architecture, interpreted here, and the kernel that executes it."""

from __future__ import annotations

import errno
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.engine.hosts.syscall_filter import (
    ARCHITECTURES,
    IN_HOST,
    IN_TERMINAL,
    NUMBERS,
    Scope,
    filter_program,
    filter_refusal,
    loader,
)
from tests.support.private_engine import PrivateEngine

MACHINES = tuple(NUMBERS)
I386, ARM = 0x40000003, 0x40000028
ALLOWED = 0
NEW_NAMESPACES = {"cgroup": 0x02000000, "uts": 0x04000000, "user": 0x10000000, "pid": 0x20000000}
#: What dockerd, containerd and runc need: calls with the same name on both architectures, by number.
ENGINE_CALLS = {
    "x86_64": {"mount": 165, "umount2": 166, "pivot_root": 155, "setns": 308, "unshare": 272, "keyctl": 250,
               "bpf": 321, "sethostname": 170, "clone3": 435, "ptrace": 101, "personality": 135, "seccomp": 317},
    "aarch64": {"mount": 40, "umount2": 39, "pivot_root": 41, "setns": 268, "unshare": 97, "keyctl": 219,
                "bpf": 280, "sethostname": 161, "clone3": 435, "ptrace": 117, "personality": 92, "seccomp": 277},
}  # fmt: skip
#: A program for a process under the filter: the error of each call on its command line, NUMBER:ARGUMENT.
CALLS = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
for word in sys.argv[1:]:
    number, argument = (int(one) for one in word.split(":"))
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(number), ctypes.c_long(argument), *[ctypes.c_long(0)] * 5)
    print(ctypes.get_errno())
"""


def answer(program: bytes, architecture: int, number: int, argument: int = 0, second: int = 0) -> int:
    """The error with which a filter refuses a call; 0 if it allows it. Executes the instructions that filters have."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, argument, second, *[0] * 4)
    value, position = 0, 0
    while True:
        code, if_true, if_false, operand = struct.unpack_from("=HBBI", program, position * 8)
        position += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("=I", data, operand)
            case 0x06:
                assert operand == 0x7FFF0000 or operand >> 16 == 5
                return operand & 0xFFFF if operand >> 16 == 5 else ALLOWED
            case 0x15:
                position += if_true if value == operand else if_false
            case 0x35:
                position += if_true if value >= operand else if_false
            case 0x45:
                position += if_true if value & operand else if_false
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("scope", Scope)
def test_calls_of_the_list_are_refused_and_all_others_allowed(machine: str, scope: Scope) -> None:
    program, architecture = filter_program(scope, machine), ARCHITECTURES[machine]
    names = {*IN_HOST, *(() if scope is Scope.HOST else IN_TERMINAL)}
    refused = {number for name, number in NUMBERS[machine].items() if name in names}
    found = {number: answer(program, architecture, number, socket.AF_INET) for number in range(600)}
    expected = dict.fromkeys(refused, errno.EPERM)
    if scope is not Scope.HOST:
        expected[435] = errno.ENOSYS
    assert {number: error for number, error in found.items() if error} == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_the_engine_has_what_it_needs(machine: str) -> None:
    program, architecture = filter_program(Scope.HOST, machine), ARCHITECTURES[machine]
    for number in ENGINE_CALLS[machine].values():
        assert answer(program, architecture, number, NEW_NAMESPACES["user"]) == ALLOWED


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("scope", [Scope.HOST, Scope.TERMINAL])
def test_sockets_to_a_hypervisor_are_refused_whatever_the_upper_half_of_the_argument_is(
    machine: str, scope: Scope
) -> None:
    program, architecture = filter_program(scope, machine), ARCHITECTURES[machine]
    number = NUMBERS[machine]["socket"]
    for family, error in ((40, errno.EPERM), (40 | 1 << 32, errno.EPERM), (2, ALLOWED), (16, ALLOWED), (17, ALLOWED)):
        assert answer(program, architecture, number, family) == error


@pytest.mark.parametrize("machine", MACHINES)
def test_the_web_process_creates_internet_sockets_only(machine: str) -> None:
    program, architecture = filter_program(Scope.WEB, machine), ARCHITECTURES[machine]
    number, pair = NUMBERS[machine]["socket"], NUMBERS[machine]["socketpair"]
    allowed = {int(socket.AF_INET), int(socket.AF_INET6), int(socket.AF_NETLINK)}
    assert {family for family in range(64) if answer(program, architecture, number, family) == ALLOWED} == allowed
    assert answer(program, architecture, number, socket.AF_UNIX | 1 << 32) == errno.EPERM
    streams = {int(socket.SOCK_STREAM), int(socket.SOCK_SEQPACKET)}
    kinds = {*streams, int(socket.SOCK_DGRAM), int(socket.SOCK_RAW)}
    for flags in (0, socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 1 << 32):
        found = {kind for kind in kinds if answer(program, architecture, pair, socket.AF_UNIX, kind | flags) == ALLOWED}
        assert found == streams


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("call", ["clone", "unshare"])
def test_a_terminal_creates_no_user_namespace(machine: str, call: str) -> None:
    architecture, number = ARCHITECTURES[machine], NUMBERS[machine][call]
    for name, flag in NEW_NAMESPACES.items():
        for flags in (flag, flag | 17, flag | 1 << 40):
            error = answer(filter_program(Scope.TERMINAL, machine), architecture, number, flags)
            assert error == (errno.EPERM if name == "user" else ALLOWED)
            assert answer(filter_program(Scope.HOST, machine), architecture, number, flags) == ALLOWED
    assert answer(filter_program(Scope.TERMINAL, machine), architecture, number, 17) == ALLOWED


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("scope", Scope)
def test_calls_of_other_abis_of_the_processor_are_refused(machine: str, scope: Scope) -> None:
    program = filter_program(scope, machine)
    for architecture in (I386, ARM, *(one for one in ARCHITECTURES.values() if one != ARCHITECTURES[machine])):
        assert answer(program, architecture, 1) == errno.EPERM
    assert answer(program, ARCHITECTURES[machine], 0x40000000 | 39) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    header = Path(
        {"x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"}.get(machine, "/usr/include/asm-generic/unistd.h")
    )
    if not header.exists():
        pytest.skip("no headers of the kernel")
    defined = dict(line.split()[1:3] for line in header.read_text().splitlines() if line.startswith("#define __NR_"))
    assert {name: defined[f"__NR_{name}"] for name in NUMBERS[machine]} == {
        name: str(number) for name, number in NUMBERS[machine].items()
    }


def errors(scope: Scope, *calls: tuple[int, int]) -> list[int]:
    """The errors of these calls, (number, first argument), in a process that has loaded the filter."""
    words = [f"{number}:{argument}" for number, argument in calls]
    done = subprocess.run(
        [*loader(scope), sys.executable, "-c", CALLS, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return [int(line) for line in done.stdout.split()]


@pytest.mark.parametrize("scope", Scope)
def test_the_kernel_executes_the_filter(scope: Scope) -> None:
    machine = os.uname().machine
    numbers, engine = NUMBERS[machine], ENGINE_CALLS[machine]
    program, architecture = filter_program(scope, machine), ARCHITECTURES[machine]
    # An address family and flags that the kernel itself refuses with EAFNOSUPPORT and EINVAL.
    calls = [(numbers[name], 0) for name in ("userfaultfd", "io_uring_setup", "open_by_handle_at", "keyctl", "bpf")]
    calls += [(numbers["socket"], 40), (numbers["socket"], 999), (numbers["unshare"], 0x10000001), (engine["mount"], 0)]
    found = errors(scope, *calls)
    for (number, argument), error in zip(calls, found, strict=True):
        expected = answer(program, architecture, number, argument)
        assert error == expected if expected else error != errno.EPERM, (number, argument)


def test_a_program_under_the_filter_ignores_no_signal() -> None:
    command = [*loader(Scope.TERMINAL), "grep", "-E", "^(SigIgn|Seccomp):", "/proc/self/status"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["SigIgn:", "0000000000000000", "Seccomp:", "2"]


def test_a_machine_without_a_filter_is_described(tmp_path: Path) -> None:
    assert filter_refusal("x86_64", Path(__file__)) == ""
    assert "none for riscv64" in filter_refusal("riscv64", Path(__file__))
    assert "this kernel does not support them" in filter_refusal("aarch64", tmp_path / "missing")


@pytest.mark.engine
def test_a_host_runs_containers_under_the_filter(engine_host: PrivateEngine) -> None:
    status = Path(f"/proc/{engine_host.host.pid}/status").read_text()
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t0" in status, "programs with the set-user-ID bit would not work in containers"
    options = ("--privileged", "--security-opt", "seccomp=unconfined")
    text = engine_host.docker(
        "run", "--rm", *options, "nginx", "grep", "-E", "^(Seccomp|NoNewPrivs)", "/proc/self/status"
    )
    assert text.split() == ["NoNewPrivs:", "0", "Seccomp:", "2", "Seccomp_filters:", "1"]
    name = engine_host.docker("run", "-d", "nginx", "sleep", "100")
    try:
        assert engine_host.docker("exec", name, "echo", "executed") == "executed"
        assert name[:12] in engine_host.docker("stats", "--no-stream", name)
        image = engine_host.docker("commit", name)
        assert engine_host.docker("run", "--rm", image, "echo", "committed") == "committed"
        engine_host.docker("rmi", image)
    finally:
        engine_host.docker("rm", "-f", name)
