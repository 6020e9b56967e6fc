"""How a private host is separated from the machine: the runtimes, the chosen one, and whether the kernel permits it.

A runtime is a script that becomes the host's engine, and what ``private_host`` prepares for it. Another one, such as a
virtual machine for each group, needs: an engine behind ``PrivateHost.socket``, a process of this machine with the
host's namespaces, the host's cgroup, and a way to start a terminal (``shell``)."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from dashboard import configuration

VARIABLE = "NETMODES_HOST_RUNTIME"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Creates a user namespace and mounts file systems in it as a host does.
PROBE = (
    "unshare --user --map-users=0:524288:2 --map-groups=0:524288:2 --setuid 0 --setgid 0 "
    "--mount --net --pid --ipc --uts --cgroup --fork -- "
    "sh -c 'mount -t proc proc /proc && { mount -t sysfs sysfs /sys || mount -t sysfs -o ro sysfs /sys; }'"
)
PROBE_TIMEOUT_S = 10.0


class Runtime(StrEnum):
    """The values of NETMODES_HOST_RUNTIME."""

    #: An unprivileged system container: root of the host is an ordinary user of the machine.
    USER_NAMESPACE = "user-namespace"
    #: Root of the host is root of the machine.
    PRIVILEGED = "privileged"

    @property
    def script(self) -> Path:
        """What starts a host of this runtime."""
        name = "user_namespace.sh" if self is Runtime.USER_NAMESPACE else "private_host.sh"
        return Path(__file__).with_name(name)


DEFAULT = Runtime.USER_NAMESPACE


def configured_runtime() -> Runtime:
    """The runtime of NETMODES_HOST_RUNTIME. Raises ValueError with a sentence if its name is unknown."""
    name = configuration.value(VARIABLE) or DEFAULT
    try:
        return Runtime(name)
    except ValueError:
        raise ValueError(f"{VARIABLE} is {name}: use {' or '.join(Runtime)}.") from None


def suitable_runtime(setup: str, options: Mapping[str, Any]) -> Runtime:
    """The configured runtime, except for engines that need more than a user namespace provides: those of ``setups``
    (RootlessKit, firewalld) and remapped users need ids of the machine, and with live-restore containers must survive
    the engine, with which the namespace ends."""
    if setup or "userns-remap" in options or options.get("live-restore"):
        return Runtime.PRIVILEGED
    return configured_runtime()


def user_namespace_refusal() -> str:
    """Why this kernel or container does not permit hosts in user namespaces; empty if it does. Blocks."""
    try:
        _create_user_namespace()
    except _RefusedError as error:
        return (
            f"This machine does not permit user namespaces ({str(error)[:200]}). Increase user.max_user_namespaces, or "
            f"use the option --privileged-hosts or {VARIABLE}={Runtime.PRIVILEGED}: "
            "root on a private host is then root on this machine."
        )
    return ""


class _RefusedError(Exception):
    """A user namespace cannot be created; ``str()`` states the reason."""


@functools.cache
def _create_user_namespace() -> None:
    """Run the probe. Only a success is cached: an exception is not. Raises _RefusedError."""
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", PROBE],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=PROBE_TIMEOUT_S,
            env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _RefusedError(error) from error
    if done.returncode != 0:
        message = done.stderr.strip().splitlines()
        raise _RefusedError(message[-1] if message else f"exit status {done.returncode}")
