"""Identifies the namespaces of a process, and reads its host name."""

import os

from dashboard.netns.namespace import in_thread, namespace_file, open_namespace_of, pinned_pid

KINDS = ("mnt", "pid", "ipc", "uts", "net", "user", "cgroup")


def namespaces(pid: int) -> dict[str, int]:
    """Returns the inodes of a living process's namespaces by kind (namespaces(7)). Raises NamespaceGone if the process
    has ended.

    Kinds that the kernel lacks are omitted.
    """
    found: dict[str, int] = {}
    with pinned_pid(pid):
        for kind in KINDS:
            try:
                found[kind] = os.stat(namespace_file(pid, kind)).st_ino  # noqa: PTH116
            except FileNotFoundError:
                if kind == "net":
                    raise
    return found


def hostname(pid: int) -> str:
    """Returns the host name in the process's UTS namespace. Raises NamespaceGone if the process has ended."""
    descriptor = open_namespace_of(pid, "uts")

    def ask() -> str:
        os.setns(descriptor, os.CLONE_NEWUTS)
        return os.uname().nodename

    try:
        return in_thread(ask)
    finally:
        os.close(descriptor)
