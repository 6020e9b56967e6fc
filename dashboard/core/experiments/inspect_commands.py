"""The workshop's commands: what may be run in a column, and with which arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. ``section`` is the section of rows that tells the same."""

    key: str
    argv: tuple[str, ...]
    section: str
    needs_name: bool = False

    @property
    def text(self) -> str:
        """The command as it is typed."""
        return " ".join(f"'{word}'" if " " in word else word for word in self.argv)


COMMANDS: dict[str, Command] = {
    command.key: command
    for command in (
        Command("ip-addr", ("ip", "addr", "show"), "interfaces"),
        Command("ip-route", ("ip", "route", "show"), "routes"),
        Command("ip-route6", ("ip", "-6", "route", "show"), "routes"),
        Command("ss", ("ss", "-tulpn"), "listeners"),
        Command("netstat", ("netstat", "-tulpn"), "listeners"),
        Command("ss-80", ("ss", "-Hltnp", "sport = :80"), "listeners"),
        Command("resolv-conf", ("cat", "/etc/resolv.conf"), "dns"),
        Command("hosts", ("cat", "/etc/hosts"), "hosts"),
        Command("nslookup", ("nslookup", "NAME"), "dns", needs_name=True),
    )
}


def argv_for(key: str, name: str = "") -> tuple[str, ...]:
    """The words to run; ValueError with a sentence if the command or the name will not do."""
    command = COMMANDS.get(key)
    if command is None:
        raise ValueError(f"There is no command “{key[:40]}”: choose one of {', '.join(COMMANDS)}.")
    if not command.needs_name:
        return command.argv
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"“{name[:60]}” is no name to look up: type letters, digits, dots and hyphens, e.g. localhost."
        )
    return tuple(name if word == "NAME" else word for word in command.argv)
