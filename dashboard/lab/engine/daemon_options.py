"""Options of the daemon that its API does not report."""

from itertools import pairwise
from pathlib import Path

from dashboard.core.claims.engine_facts import DaemonOptions, parse_daemon_options
from dashboard.netns.files import read_inside


def read_daemon_options(pid: int | None) -> DaemonOptions:
    """The options of the daemon with this pid, from its command line and its daemon.json."""
    if pid is None:
        return DaemonOptions()
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return DaemonOptions()
    if not any(command):
        return DaemonOptions()
    path = "/etc/docker/daemon.json"
    for word, following in pairwise(command):
        if word == "--config-file":
            path = following
        elif word.startswith("--config-file="):
            path = word.partition("=")[2]
    content = read_inside(pid, path)
    return parse_daemon_options(command, None if content is None else content.decode(errors="replace"))
