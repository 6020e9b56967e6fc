"""The command that opens a shell as root on a private host."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.hosts.runtimes import SEARCH_PATH

#: bash if the host has one, else sh; without a terminal it reads its commands from standard input.
_SHELL = "if command -v bash >/dev/null; then exec bash --norc; fi; exec sh"


def enter_command(host: PrivateHost) -> list[str]:
    """The nsenter(1) command: the namespaces of the host's engine that are not the machine's."""
    more = ["--user", "--pid", "--ipc", "--cgroup"] if host.owner else []
    return ["nsenter", f"--target={host.pid}", *more, "--net", "--mount", "--uts", "--", "sh", "-c", _SHELL]


def enter_environment(host: PrivateHost, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the shell: ``docker`` reaches the host's engine, and the prompt names the host."""
    kept = {name: environment[name] for name in ("HOME", "LANG", "TERM") if name in environment}
    return {
        "HOME": "/root",
        **kept,
        "DOCKER_HOST": f"unix://{host.socket}",
        "PATH": SEARCH_PATH,
        "PS1": f"root@{host.name}:\\w# ",
    }
