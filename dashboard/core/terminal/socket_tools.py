"""Which lines of ``netstat`` and ``ss`` are answered from outside of a terminal, so that they can name processes.

A terminal has process ids of its own and sees none of the host's programs. These two tools look at the sockets of the
host's network alone, whoever asks; what they may be asked for is a written list: no file, no other namespace, no loop.
"""

from __future__ import annotations

import re

ARGUMENTS_MOST = 24
LINE_MOST = 1000
_LETTERS = {"netstat": "tuwxlnpae46W", "ss": "Htunwxlpaeio46mrs"}
_COMMON = frozenset(["--tcp", "--udp", "--raw", "--unix", "--listening", "--numeric", "--all"])
_WORDS = {
    "netstat": _COMMON | {"--programs", "--extend", "--wide"},
    "ss": _COMMON | {"--processes", "--extended", "--no-header", "--ipv4", "--ipv6"},
}
#: A filter of ss: words and operators (ss(8)).
_FILTER = re.compile(r"[a-z0-9=!<>:.,*()\[\]/ |&-]{0,200}")


def why_not(line: list[str]) -> str:
    """Why this line, the tool and its arguments, is not answered from outside; empty if it is."""
    if not line or line[0] not in _LETTERS:
        return "Only netstat and ss are."
    tool, *arguments = line
    if len(arguments) > ARGUMENTS_MOST or sum(len(one) for one in line) > LINE_MOST:
        return "The line is too long."
    for one in arguments:
        if one.startswith("--"):
            allowed = one in _WORDS[tool]
        elif one.startswith("-"):
            allowed = bool(one[1:]) and set(one[1:]) <= set(_LETTERS[tool])
        else:
            allowed = tool == "ss" and _FILTER.fullmatch(one) is not None
        if not allowed:
            return f"{one[:40]} is not among the options."
    return ""
