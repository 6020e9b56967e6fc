"""Reads network sysctls in a thread that has entered the namespace.

``/proc/sys/net`` shows the namespace of the calling thread (``net_ctl_header_lookup`` in net/sysctl_net.c).
``/proc/net`` would show the namespace of the process's first thread.
"""

import os
import re
from collections.abc import Iterable

#: The sysctls that Docker changes in the namespaces that it creates, and those that decide whether ports work.
NAMES = (
    "net.core.somaxconn",
    "net.ipv4.conf.all.forwarding",
    "net.ipv4.conf.all.route_localnet",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.ip_forward",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv6.bindv6only",
    "net.ipv6.conf.all.disable_ipv6",
    "net.ipv6.conf.all.forwarding",
    "net.ipv6.conf.default.accept_ra",
    "net.ipv6.conf.default.disable_ipv6",
)

_NAME = re.compile(r"net(?:\.[A-Za-z0-9_/@-]+)+")
_LIMIT_BYTES = 4096


def read_sysctls_here(extra: Iterable[str] = ()) -> dict[str, str]:
    """Returns the values of the sysctls in NAMES and ``extra`` by name, in the namespace of the calling thread. Missing
    sysctls are omitted. In the values, sequences of white space become one space."""
    found: dict[str, str] = {}
    for name in sorted({*NAMES, *extra}):
        if (value := _read_one(name)) is not None:
            found[name] = value
    return found


def _read_one(name: str) -> str | None:
    """Returns the value of one sysctl; None if it does not exist, cannot be read or is not a network sysctl.

    As in sysctl(8), dots separate the parts of ``name``, and a slash stands for a dot inside a part (``eth0/100``).
    """
    if not _NAME.fullmatch(name) or len(name) > 200:
        return None
    path = "/proc/sys/" + name.translate(str.maketrans("./", "/."))
    if "/../" in path or "/./" in path or path.endswith(("/..", "/.")):
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return " ".join(os.read(descriptor, _LIMIT_BYTES).decode("utf-8", "backslashreplace").split())
    except OSError:
        return None
    finally:
        os.close(descriptor)
