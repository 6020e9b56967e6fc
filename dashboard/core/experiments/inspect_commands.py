"""The commands that can be run in a column, with their arguments."""

import re
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")


@dataclass(frozen=True, slots=True)
class InspectCommand:
    """One command. ``section`` is the table section with the same facts."""

    key: str
    argv: tuple[str, ...]
    section: str
    needs_name: bool = False

    @property
    def text(self) -> str:
        """The command line."""
        return " ".join(f"'{word}'" if " " in word else word for word in self.argv)


COMMANDS: dict[str, InspectCommand] = {
    command.key: command
    for command in (
        InspectCommand("ip-addr", ("ip", "addr", "show"), "interfaces"),
        InspectCommand("ip-route", ("ip", "route", "show"), "routes"),
        InspectCommand("ip-route6", ("ip", "-6", "route", "show"), "routes"),
        InspectCommand("ss", ("ss", "-tulpn"), "listeners"),
        InspectCommand("netstat", ("netstat", "-tulpn"), "listeners"),
        InspectCommand("ss-80", ("ss", "-Hltnp", "sport = :80"), "listeners"),
        InspectCommand("resolv-conf", ("cat", "/etc/resolv.conf"), "dns"),
        InspectCommand("hosts", ("cat", "/etc/hosts"), "hosts"),
        InspectCommand("nslookup", ("nslookup", "NAME"), "dns", needs_name=True),
    )
}


def argv_for(key: str, name: str = "") -> tuple[str, ...]:
    """The arguments to execute. Raises ValueError with a message for the user for an unknown command or an invalid
    name."""
    command = COMMANDS.get(key)
    if command is None:
        raise ValueError(f"Unknown command “{key[:40]}”: choose one of {', '.join(COMMANDS)}.")
    if not command.needs_name:
        return command.argv
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"“{name[:60]}” is not a host name: use letters, digits, dots and hyphens, for example localhost."
        )
    return tuple(name if word == "NAME" else word for word in command.argv)
