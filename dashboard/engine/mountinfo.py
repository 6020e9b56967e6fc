"""Parses the list of mounts of a process (proc_pid_mountinfo(5))."""

import os
import re
from pathlib import Path
from typing import NamedTuple

_OCTAL = re.compile(rb"\\([0-7]{3})")


class Mount(NamedTuple):
    """One mount: where it is, and its mount options, such as ``("ro", "nosuid")``."""

    point: Path
    options: tuple[str, ...]


def parse_mountinfo(content: bytes) -> list[Mount]:
    """Returns the mounts in the content of a file ``mountinfo``, in its order. The kernel writes spaces, tabs, line
    feeds and backslashes of a path as octal numbers."""
    mounts = []
    for line in filter(None, content.split(b"\n")):
        _, _, _, _, encoded, options, *_ = line.split(b" ")
        point = _OCTAL.sub(lambda code: bytes([int(code[1], 8)]), encoded)
        mounts.append(Mount(Path(os.fsdecode(point)), tuple(options.decode().split(","))))
    return mounts
