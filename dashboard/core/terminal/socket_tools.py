"""Decides which ``netstat`` and ``ss`` commands of a terminal run outside it, where the names of processes are visible.

A terminal has its own PID namespace and sees no programs of the host. So these two tools run outside it, in the host's
network namespace. Only listed options are accepted. They read no files, enter no other namespaces, and do not repeat
the output.
"""

import re

MAX_ARGUMENTS = 24
MAX_COMMAND = 1000
_LETTERS = {"netstat": "tuwxlnpae46W", "ss": "Htunwxlpaeio46mrs"}
_COMMON = frozenset(["--tcp", "--udp", "--raw", "--unix", "--listening", "--numeric", "--all"])
_LONG_OPTIONS = {
    "netstat": _COMMON | {"--programs", "--extend", "--wide"},
    "ss": _COMMON | {"--processes", "--extended", "--no-header", "--ipv4", "--ipv6"},
}
#: A filter of ss: words and operators (ss(8)).
_FILTER = re.compile(r"[a-z0-9=!<>:.,*()\[\]/ |&-]{0,200}")


def refuse_command(command: list[str]) -> str | None:
    """Returns the reason why a command (a tool and its arguments) must not run outside the terminal; None if it may."""
    if not command or command[0] not in _LETTERS:
        return "Only netstat and ss are allowed."
    tool, *arguments = command
    if len(arguments) > MAX_ARGUMENTS or sum(map(len, command)) > MAX_COMMAND:
        return "The command is too long."
    for argument in arguments:
        if argument.startswith("--"):
            allowed = argument in _LONG_OPTIONS[tool]
        elif argument.startswith("-"):
            allowed = bool(argument[1:]) and set(argument[1:]) <= set(_LETTERS[tool])
        else:
            allowed = tool == "ss" and _FILTER.fullmatch(argument) is not None
        if not allowed:
            return f"{argument[:40]} is not an allowed option."
    return None
