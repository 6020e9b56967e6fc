"""The command ``netmodes`` of an installed package.

In a checkout, ``./netmodes`` prepares the environment and calls manage.py. In a package, pip has installed everything.
"""

import os
import sys
from importlib.util import find_spec

from dashboard import __version__, configuration, interrupts
from dashboard.lab import liveness
from dashboard.launcher import usage

USAGE = """Netmodes compares Docker's network modes side by side.

Usage: netmodes COMMAND [ARGUMENTS]

{commands}

netmodes COMMAND --help describes one command; netmodes --version prints the version.

Variables: NETMODES_DATA_DIR (where all data is kept; default: /var/lib/netmodes for root, otherwise netmodes in
your data folder), DOCKER_HOST (the engine to use)."""


def commands() -> dict[str, str]:
    """Returns the commands of an installed package with their descriptions."""
    described = {name: text.replace("./netmodes", "netmodes") for name, text in usage.descriptions().items()}
    return {name: text for name, text in described.items() if name not in usage.CHECKOUT_ONLY}


def check_health() -> None:
    """Runs the command ``health`` without Django, because containers run it every few seconds, and loading Django would
    take twenty times as long."""
    problem = liveness.problem(configuration.data_dir(), configuration.value("NETMODES_ROLE", "all"))
    if problem:
        sys.stderr.write(f"{problem}\n")
        raise SystemExit(1)
    sys.stdout.write("ok\n")


@configuration.exit_if_invalid()
def main() -> None:
    """Runs the command that the arguments name. Exit status: 0 success, 1 failure, 2 wrong usage."""
    interrupts.end_at_once()
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    if command in {"help", "-h", "--help"}:
        lines = (f"  {name:<9} {description}" for name, description in commands().items())
        sys.stdout.write(USAGE.format(commands="\n".join(lines)) + "\n")
        return
    if command == "--version":
        sys.stdout.write(f"{__version__}\n")
        return
    if sys.argv[1:] == ["health"]:
        check_health()
        return
    if not (
        command.isidentifier() and (command in commands() or find_spec(f"django.core.management.commands.{command}"))
    ):
        sys.stderr.write(f"netmodes: there is no command '{command}'; netmodes help lists the commands.\n")
        raise SystemExit(2)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    # On Debian the PATH of ordinary users lacks the folders of ip, iptables and dockerd.
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
