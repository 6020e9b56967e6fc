"""The command that opens a shell as root on a private host (``netmodes hosts enter``)."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.engine.hosts.limits import shell_files
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.hosts.runtimes import SEARCH_PATH
from dashboard.engine.hosts.syscall_filter import Scope, loader

#: bash if the host has one, else sh; without a terminal it reads its commands from standard input.
_SHELL = "if command -v bash >/dev/null; then exec bash --norc; fi; exec sh"
#: Enters the cgroups of the files before --, and becomes the command after it.
_ENTER_CGROUPS = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit; shift; done; shift; exec "$@"'


def enter_command(host: PrivateHost) -> list[str]:
    """Returns the command ``sh …`` that opens the shell. It enters the host's cgroups, so that the host's limits apply
    to the shell. With nsenter(1) it enters the namespaces of the host's engine that differ from the machine's. If the
    host is in a user namespace, the command also loads the seccomp filter."""
    more = ["--user", "--pid", "--ipc", "--cgroup"] if host.owner else []
    return [
        *("sh", "-c", _ENTER_CGROUPS, "sh", *shell_files(host.name), "--"),
        *(loader(Scope.HOST) if host.owner else ()),
        *("nsenter", f"--target={host.pid}", *more, "--net", "--mount", "--uts", "--", "sh", "-c", _SHELL),
    ]


def enter_environment(host: PrivateHost, environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of the shell, in which ``docker`` reaches the host's engine and the prompt shows the
    host's name. HOME, LANG and TERM come from ``environment``."""
    kept = {name: environment[name] for name in ("HOME", "LANG", "TERM") if name in environment}
    return {
        "HOME": "/root",
        **kept,
        "DOCKER_HOST": f"unix://{host.socket}",
        "PATH": SEARCH_PATH,
        "PS1": f"root@{host.name}:\\w# ",
    }
