"""Builds the seccomp filters for private hosts in user namespaces and for the web process. ``user_namespace.calls``
loads them.

Every process inherits the filter of its parent, even in privileged containers. The kernel refuses most of the filtered
calls to root of a user namespace anyway; the filter refuses them even if the kernel's check has a bug.

Sources: seccomp(2), the kernel's documentation of seccomp filters, Docker's documentation of its default profile.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path

from dashboard.engine.hosts.user_namespace import calls


class Scope(StrEnum):
    """The processes to which a filter applies."""

    #: The engine and its containers: dockerd and runc create namespaces and mount.
    HOST = "host"
    #: A terminal: it has few capabilities, and a user namespace would give it all of them.
    TERMINAL = "terminal"
    #: The web process of root's lab: it shares the machine's network namespace, where programs listen on abstract unix
    #: sockets, which have no file permissions.
    WEB = "web"


#: Linux's name of the architecture: its AUDIT_ARCH_* value (linux/audit.h).
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
#: From this number on, calls on x86_64 are of the x32 ABI.
X32 = 0x40000000
#: The numbers of system calls (asm/unistd_64.h, asm-generic/unistd.h); a call that is missing does not exist.
NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "socket": 41, "socketpair": 53, "clone": 56, "syslog": 103, "uselib": 134, "ustat": 136, "sysfs": 139,
        "vhangup": 153, "acct": 163, "settimeofday": 164, "swapon": 167, "swapoff": 168, "reboot": 169, "iopl": 172,
        "ioperm": 173,
        "init_module": 175, "delete_module": 176, "quotactl": 179, "lookup_dcookie": 212, "clock_settime": 227,
        "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "migrate_pages": 256, "unshare": 272,
        "move_pages": 279, "perf_event_open": 298, "fanotify_init": 300, "open_by_handle_at": 304,
        "finit_module": 313, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425,
        "io_uring_enter": 426, "io_uring_register": 427, "clone3": 435, "quotactl_fd": 443,
    },
    "aarch64": {
        "lookup_dcookie": 18, "vhangup": 58, "quotactl": 60, "acct": 89, "unshare": 97, "kexec_load": 104,
        "init_module": 105, "delete_module": 106, "clock_settime": 112, "syslog": 116, "reboot": 142,
        "settimeofday": 170, "socket": 198, "socketpair": 199, "add_key": 217, "request_key": 218, "keyctl": 219,
        "clone": 220, "swapon": 224, "swapoff": 225, "migrate_pages": 238, "move_pages": 239, "perf_event_open": 241,
        "fanotify_init": 262, "open_by_handle_at": 265, "finit_module": 273, "bpf": 280, "userfaultfd": 282,
        "kexec_file_load": 294, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
        "clone3": 435, "quotactl_fd": 443,
    },
}  # fmt: skip
#: Refused in the whole host: the machine's clock, power, modules, swap, accounting, ports and memory, its keys, and
#: interfaces in which vulnerabilities of the kernel have often been found.
IN_HOST = (
    "acct", "add_key", "clock_settime", "delete_module", "finit_module", "init_module", "io_uring_enter",
    "io_uring_register", "io_uring_setup", "ioperm", "iopl", "kexec_file_load", "kexec_load", "lookup_dcookie",
    "migrate_pages", "move_pages", "open_by_handle_at", "perf_event_open", "reboot", "request_key", "settimeofday",
    "swapoff", "swapon", "sysfs", "uselib", "userfaultfd", "ustat", "vhangup",
)  # fmt: skip
#: Refused in a terminal and in the web process as well; the engine needs some of them.
IN_TERMINAL = ("bpf", "fanotify_init", "keyctl", "quotactl", "quotactl_fd", "syslog")
AF_VSOCK = 40
#: The families of the sockets that the web process may create: AF_INET, AF_INET6, and AF_NETLINK, with which the C
#: library looks addresses up.
WEB_FAMILIES = (2, 10, 16)
#: Both SOCK_DGRAM and SOCK_RAW have this bit; SOCK_STREAM and SOCK_SEQPACKET do not.
DATAGRAM_BIT = 2
NEW_USER_NAMESPACE = 0x10000000

# Instructions of classic BPF (linux/bpf_common.h), results (linux/seccomp.h), and offsets in struct seccomp_data.
LOAD, RETURN = 0x20, 0x06
IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT = 0x15, 0x35, 0x45
ALLOW, ERROR = 0x7FFF0000, 0x00050000
NUMBER, ARCHITECTURE = 0, 4
#: The lower halves of the arguments on these architectures. The kernel ignores the upper half of an address family, so
#: a comparison of both could be evaded.
FIRST_ARGUMENT, SECOND_ARGUMENT = 16, 24

ACTIONS = Path("/proc/sys/kernel/seccomp/actions_avail")

type Instruction = tuple[int, int, int, int]


def filter_program(scope: Scope, machine: str) -> bytes:
    """Returns the filter in the kernel's format: an array of struct sock_filter. ``machine`` is the architecture, such
    as ``x86_64``. Calls of other ABIs of the processor (i386, x32, 32-bit ARM) are refused. Raises KeyError for an
    unknown architecture."""
    numbers = NUMBERS[machine]
    program: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (IF_EQUAL, 1, 0, ARCHITECTURES[machine]),
        _refuse(errno.EPERM),
        (LOAD, 0, 0, NUMBER),
        (IF_AT_LEAST, 0, 1, X32),
        _refuse(errno.EPERM),
    ]
    for name in IN_HOST + (() if scope is Scope.HOST else IN_TERMINAL):
        if name in numbers:
            program += [(IF_EQUAL, 0, 1, numbers[name]), _refuse(errno.EPERM)]
    if scope is Scope.WEB:
        program += _allow_arguments(numbers["socket"], WEB_FAMILIES)
        # A pair of stream sockets can reach no other socket, but a datagram can be sent to any address.
        program += _refuse_argument(numbers["socketpair"], IF_ANY_BIT, DATAGRAM_BIT, SECOND_ARGUMENT)
    else:
        program += _refuse_argument(numbers["socket"], IF_EQUAL, AF_VSOCK)
    if scope is not Scope.HOST:
        program += _refuse_argument(numbers["unshare"], IF_ANY_BIT, NEW_USER_NAMESPACE)
        program += _refuse_argument(numbers["clone"], IF_ANY_BIT, NEW_USER_NAMESPACE)
        # Its flags are in memory, where a filter cannot read. Programs use clone(2) where this call is unknown.
        program += [(IF_EQUAL, 0, 1, numbers["clone3"]), _refuse(errno.ENOSYS)]
    program.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *one) for one in program)


def _refuse(error: int) -> Instruction:
    return RETURN, 0, 0, ERROR | error


def _allow_arguments(number: int, values: Collection[int]) -> list[Instruction]:
    """Returns the instructions that allow the system call with this number only if its first argument is one of
    ``values``."""
    compared = [(IF_EQUAL, len(values) - position, 0, value) for position, value in enumerate(values)]
    return [
        (IF_EQUAL, 0, len(values) + 3, number),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        *compared,
        _refuse(errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]


def _refuse_argument(number: int, comparison: int, value: int, argument: int = FIRST_ARGUMENT) -> list[Instruction]:
    """Returns the instructions that refuse the system call with this number if one of its arguments has certain values.
    ``argument`` is the argument's offset in struct seccomp_data. The call is refused if ``comparison`` (such as
    IF_EQUAL) of the argument with ``value`` is true."""
    return [
        (IF_EQUAL, 0, 4, number),
        (LOAD, 0, 0, argument),
        (comparison, 0, 1, value),
        _refuse(errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]


def filter_refusal(machine: str = os.uname().machine, actions: Path = ACTIONS) -> str:
    """Returns the reason why hosts on this machine have no filter; empty if they have one. ``machine`` is the
    architecture. ``actions`` is a file that exists only if the kernel has seccomp filters."""
    if machine not in NUMBERS:
        return f"private hosts have no seccomp filter: Netmodes has none for {machine}"
    if not actions.exists():
        return "private hosts have no seccomp filter: this kernel does not support them"
    return ""


def digits(scope: Scope) -> str:
    """Returns the filter for this machine in hexadecimal digits; empty if this machine has no filter."""
    return "" if filter_refusal() else filter_program(scope, os.uname().machine).hex()


def loader(scope: Scope) -> list[str]:
    """Returns the command line of a program that loads the filter and then executes the command that the caller
    appends. If there is no filter for this machine, the program only executes the command."""
    return [sys.executable, "-I", "-S", calls.__file__, digits(scope)]
