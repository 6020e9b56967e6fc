"""The commands that a user can run in the namespace of a column, such as ``ip addr show``."""

import re
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")


@dataclass(frozen=True, slots=True)
class InspectCommand:
    """A command to run in a column. ``section`` is the section of the comparison that shows the same facts. If
    ``needs_name`` is true, the word ``NAME`` in ``argv`` stands for a host name that the user enters."""

    key: str
    argv: tuple[str, ...]
    section: str
    needs_name: bool = False

    @property
    def text(self) -> str:
        """The command as one line."""
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
    """Returns the arguments of the command ``key``, with ``name`` as host name where it needs one. Raises ValueError
    with a message for the user if the command is unknown or the name invalid."""
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
