"""Reads options of the daemon that the Engine's API does not report."""

from itertools import pairwise
from pathlib import Path

from dashboard.core.claims.engine_facts import DaemonOptions, parse_daemon_options
from dashboard.engine.daemon_process import STATE_DIR, environment_of
from dashboard.netns.files import read_inside


def read_daemon_options(pid: int | None) -> DaemonOptions:
    """Returns the options of the daemon with this pid, read from its command line and its daemon.json. All options are
    None, which means unknown, if ``pid`` is None or the process cannot be read."""
    if pid is None:
        return DaemonOptions()
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return DaemonOptions()
    if not any(command):
        return DaemonOptions()
    path = _default_file(pid)
    for word, following in pairwise(command):
        if word == "--config-file":
            path = following
        elif word.startswith("--config-file="):
            path = word.partition("=")[2]
    content = read_inside(pid, path)
    return parse_daemon_options(command, None if content is None else content.decode(errors="replace"))


def _default_file(pid: int) -> str:
    """Returns the path of the daemon.json that the daemon reads unless its command line names another one. A rootless
    daemon reads its user's (Moby, getDefaultDaemonConfigDir)."""
    environment = environment_of(pid)
    if not environment.get(STATE_DIR):
        return "/etc/docker/daemon.json"
    folder = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '')}/.config"
    return f"{folder}/docker/daemon.json"
