"""Installs the systemd service of ``./netmodes setup``."""

import os

from dashboard.launcher.console import LauncherError, is_plain, quote, say
from dashboard.launcher.launch import Launch
from dashboard.launcher.machine import PATHS, advice_on_secrets, has, repeated_settings, run, runs_systemd

UNIT = "/etc/systemd/system/netmodes.service"
#: The settings for which the template has a line.
IN_TEMPLATE = ("NETMODES_DATA_DIR", "NETMODES_NO_INSTALL")


def require_plain_words(launch: Launch) -> None:
    """Raises LauncherError if the path of the checkout or an argument contains a character with a special meaning in
    systemd's syntax, such as % or $, or if a setting contains a character that is not printable."""
    words = [("the path of the checkout", launch.root), *(("each argument", word) for word in launch.arguments)]
    for name, word in words:
        if not is_plain(word, "/_.:@+,= -"):
            raise LauncherError(f"{name} may contain only letters, digits, spaces and /_.:@+,=- for a service: {word}")
    for name, value in [("the data folder", launch.data), *repeated_settings()]:
        if not value.isprintable():
            raise LauncherError(f"{name} may contain only printable characters for a service: {value!r}")


def _setting(name: str, value: str) -> str:
    """Returns the line of a unit that sets an environment variable. In it only the backslash, the double quote and %
    have a special meaning (systemd.exec(5), ``Environment=``)."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'Environment="{name}={escaped}"'


def _command(launch: Launch) -> str:
    """Returns the command that the service runs: ``lab`` on a machine that has joined an installation, unless the user
    names a role; otherwise ``up``, which has the option ``--role``."""
    names_role = any(word.partition("=")[0] == "--role" for word in launch.arguments)
    return "up" if names_role or not os.path.exists(f"{launch.data}/machine.json") else "lab"


def require_options_of_command(launch: Launch) -> None:
    """Raises LauncherError if the service runs ``lab`` and would be started with options that only ``up`` has."""
    refused = [word for word in launch.arguments if word != "--privileged-hosts"]
    if _command(launch) == "lab" and refused:
        raise LauncherError(
            "this machine has joined an installation, so its service runs ./netmodes lab, which serves no pages. "
            f"Leave out: {quote(*refused)}"
        )


def unit_text(launch: Launch) -> str:
    """Returns the unit file for this machine: vagrant/netmodes.service with the paths, settings and arguments of this
    launch."""
    arguments = "".join(f' "{word}"' for word in launch.arguments)
    readme = f"{launch.root}/README.md".replace(" ", "%%20")
    replaced = {
        "ExecStart=": f'ExecStart="{launch.root}/netmodes" {_command(launch)}{arguments}',
        "Documentation=": f"Documentation=file://{readme}",
        'Environment="NETMODES_DATA_DIR=': _setting("NETMODES_DATA_DIR", launch.data),
    }
    with open(f"{launch.root}/vagrant/netmodes.service", encoding="utf-8") as file:
        lines = file.read().splitlines()
    lines = [next((new for old, new in replaced.items() if line.startswith(old)), line) for line in lines]
    settings = [
        # The current folder of a service is /.
        _setting(name, os.path.abspath(value) if name in PATHS or name.endswith("_FILE") else value)
        for name, value in repeated_settings()
        if name not in IN_TEMPLATE
    ]
    if settings:
        lines += ["", "[Service]", *settings]
    return "\n".join([*lines, ""])


def install_service(launch: Launch) -> int:
    """Installs, enables and starts the service; returns the exit code 0. If the unit file has changed, replaces it and
    restarts the service. Raises LauncherError if systemd refuses."""
    if not has("systemctl"):
        say("Everything is prepared. This machine has no systemd, so no service was installed: run ./netmodes up.")
        return 0
    advice = advice_on_secrets("The service does not get", "units")
    if advice:
        say(advice)
    changed = _write_unit(unit_text(launch))
    if not run("systemctl", "-q", "is-enabled", "netmodes") and not run("systemctl", "-q", "enable", "netmodes"):
        raise LauncherError("systemctl could not enable netmodes.service")
    if not runs_systemd():
        say("Everything is prepared. The service starts when this machine boots: systemd is not running now.")
        return 0
    if changed:
        run("systemctl", "daemon-reload")
    elif run("systemctl", "-q", "is-active", "netmodes"):
        say("netmodes.service is running. If the code has changed, restart it: systemctl restart netmodes")
        return 0
    say("Starting netmodes.service")
    if not run("systemctl", "restart" if changed else "start", "netmodes"):
        raise LauncherError("netmodes.service did not start: journalctl -u netmodes shows why")
    return 0


def _write_unit(text: str) -> bool:
    """Writes the unit file unless it already contains this text. Returns whether it was written."""
    if os.path.exists(UNIT):
        with open(UNIT, encoding="utf-8") as file:
            if file.read() == text:
                return False
    say(f"Writing {UNIT}")
    try:
        with open(UNIT, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(UNIT, 0o644)
    except OSError as error:
        raise LauncherError(f"cannot write {UNIT}: {error.strerror}") from None
    return True
