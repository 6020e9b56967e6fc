"""Chooses the runtime of a private host, and finds out which runtimes the kernel permits. The runtime separates the
host from the machine.

A runtime consists of a script that becomes the host's engine, and of what ``private_host`` prepares for the script. A
new runtime, such as a virtual machine for each group, must provide an engine behind ``PrivateHost.socket`` and a
process of this machine in the host's namespaces. It also needs a cgroup for the host, and a way to start a terminal
(``shell``).
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
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
#: Mounts a new folder below $1 onto itself with the ids of a user namespace (mount_setattr(2)), and prints its owner.
PROBED_ID = 524288
SHARING_PROBE = f"""
map=0:{PROBED_ID}:2
folder=$(mktemp -d "$1/.probe.XXXXXX")
unshare --user --map-users=$map --map-groups=$map --setuid 0 --setgid 0 -- sleep {PROBE_TIMEOUT_S:.0f} &
holder=$!
trap 'kill $holder 2> /dev/null || :; ! mountpoint -q "$folder" || umount "$folder"; rmdir "$folder"' EXIT
until grep -qs " {PROBED_ID} " /proc/$holder/uid_map && grep -qs " {PROBED_ID} " /proc/$holder/gid_map; do
    kill -0 $holder
    sleep 0.005
done
mount -o "bind,ro,X-mount.idmap=/proc/$holder/ns/user" "$folder" "$folder"
stat -c %u "$folder"
"""


class Runtime(StrEnum):
    """The ways to separate a host from the machine: the values of NETMODES_HOST_RUNTIME."""

    #: An unprivileged system container: root of the host is an ordinary user of the machine.
    USER_NAMESPACE = "user-namespace"
    #: Root of the host is root of the machine.
    PRIVILEGED = "privileged"


DEFAULT = Runtime.USER_NAMESPACE


def configured_runtime() -> Runtime:
    """Returns the runtime that NETMODES_HOST_RUNTIME names. Raises ConfigurationError if no runtime has this name."""
    name = configuration.value(VARIABLE) or DEFAULT
    try:
        return Runtime(name)
    except ValueError:
        raise configuration.ConfigurationError(f"{VARIABLE} is {name}: use {' or '.join(Runtime)}.") from None


def suitable_runtime(setup: str, options: Mapping[str, Any]) -> Runtime:
    """Returns the runtime for an engine with this setup and these options of dockerd. This is the configured runtime
    or, if a user namespace does not suffice, ``privileged``.

    A user namespace does not suffice for a setup (RootlessKit, firewalld) or for userns-remap: both need ids of the
    machine. Nor does it suffice for live-restore: containers must outlive the engine, but a host in a user namespace
    ends with its engine. Raises ConfigurationError if the configured runtime does not exist.
    """
    if setup or "userns-remap" in options or options.get("live-restore"):
        return Runtime.PRIVILEGED
    return configured_runtime()


def user_namespace_refusal() -> str:
    """Returns the reason why this kernel or container does not permit hosts in user namespaces, and what to do; empty
    if they are permitted. Blocks."""
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
    """The machine does not permit an operation; ``str()`` states the reason."""


def _probe(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a command, kills all processes that it has started, and returns its result. Raises _RefusedError if the
    command cannot be run, or does not end within PROBE_TIMEOUT_S."""
    environment = {"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"}
    # If unshare(1) is refused a namespace, the child that would have mapped the ids waits forever and keeps the output
    # open. So the output goes to files, and the process group is killed.
    with (
        tempfile.TemporaryFile("w+", errors="replace") as output,
        tempfile.TemporaryFile("w+", errors="replace") as errors,
    ):
        try:
            with subprocess.Popen(command, stdout=output, stderr=errors, env=environment, process_group=0) as process:
                try:
                    process.wait(PROBE_TIMEOUT_S)
                finally:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
        except (OSError, subprocess.SubprocessError) as error:
            raise _RefusedError(error) from error
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(command, process.returncode, output.read(), errors.read())


@functools.cache
def _create_user_namespace() -> None:
    """Tries to create a user namespace. Raises _RefusedError if that fails. Only a success is cached."""
    done = _probe("/bin/sh", "-c", PROBE)
    if done.returncode != 0:
        message = done.stderr.strip().splitlines()
        raise _RefusedError(message[-1] if message else f"exit status {done.returncode}")


def sharing_refusal(folder: Path) -> str:
    """Returns the reason why hosts in user namespaces cannot share the layers of images below ``folder``; empty if they
    can. If they cannot, each host needs a copy of the layers. Blocks."""
    try:
        _mount_with_other_ids(folder)
    except _RefusedError as error:
        return str(error).strip()[:200] or "for an unknown reason"
    return ""


@functools.cache
def _mount_with_other_ids(folder: Path) -> None:
    """Tries to mount a new folder below ``folder`` with the ids of a user namespace. Raises _RefusedError if that
    fails. Only a success is cached."""
    space = ("unshare", "--mount", "--propagation", "private", "--")
    done = _probe(*space, "/bin/sh", "-eu", "-c", SHARING_PROBE, "sh", str(folder))
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        # The message without "mount: FOLDER: ".
        raise _RefusedError(lines[0].rpartition(".probe.")[2][8:] if lines else f"exit status {done.returncode}")
    if done.stdout.strip() != str(PROBED_ID):
        raise _RefusedError("mount(8) ignores X-mount.idmap, which needs util-linux 2.39")
