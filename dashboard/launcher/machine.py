"""Reads facts about this machine (programs, user, service manager), and runs programs."""

import os

from dashboard.launcher.console import quote

#: The settings that a line for root repeats, because neither sudo(8) nor a new login keeps the user's environment. The
#: service of ``./netmodes setup`` gets them, too.
REPEATED = (
    "NETMODES_DATA_DIR",
    "DOCKER_HOST",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "NETMODES_ALLOWED_HOSTS",
    "NETMODES_OWN_NAME",
    "NETMODES_TRUSTED_ORIGINS",
    "NETMODES_TRUSTED_PROXIES",
    "NETMODES_OIDC_ISSUER",
    "NETMODES_OIDC_CLIENT_ID",
    "NETMODES_OIDC_NAME",
    "NETMODES_RETENTION_DAYS",
    "NETMODES_JOURNALS_MB",
    "NETMODES_LOG_LEVEL",
    "NETMODES_NO_INSTALL",
    "NETMODES_ROLE",
    "NETMODES_MACHINE",
    "NETMODES_MACHINES_DATABASE",
    "NETMODES_MACHINES_NATS",
    "NETMODES_DATABASE_CONNECTIONS",
    "NETMODES_HOST_RUNTIME",
    "NETMODES_HOST_DISK_MB",
    "NETMODES_ENGINE_ROOT",
    "NETMODES_ENGINE_OPTIONS",
    "NETMODES_ENGINE_SETUP",
    "NETMODES_TOUR_PICTURES",
)
#: The settings, apart from the data folder, that are paths. The same is true of names with ``_FILE`` at the end.
PATHS = frozenset({"DOCKER_CERT_PATH", "NETMODES_ENGINE_ROOT", "NETMODES_TOUR_PICTURES"})
#: Settings that are or contain secrets. All users can read units and command lines (proc(5), ``/proc/PID/cmdline``).
SECRETS = (
    "DATABASE_URL",
    "NATS_URL",
    "NETMODES_SECRET_KEY",
    "NETMODES_METRICS_TOKEN",
    "NETMODES_OIDC_CLIENT_SECRET",
)


def has(*programs: str) -> bool:
    """Returns whether all of these programs are on PATH."""
    folders = os.environ["PATH"].split(":")
    return all(any(_is_program(f"{folder}/{name}") for folder in folders) for name in programs)


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and not os.path.isdir(path)


def is_root() -> bool:
    """Returns whether the launcher runs as root."""
    return os.geteuid() == 0


def runs_systemd() -> bool:
    """Returns whether systemd is the running service manager (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def line_for_root(line: str) -> str:
    """Returns the line that the user types to run the command ``line`` as root."""
    if is_root():
        return line
    return f"sudo {line}" if has("sudo") else f"su -c {quote(line)}"


def command_for_root(*words: str) -> str:
    """Returns the line that the user types to run the command ``words`` as root, indented, with the settings of the
    environment. If settings that are secrets are left out, a paragraph that names them follows."""
    settings = [f"{name}={value}" for name, value in repeated_settings()]
    line = f"  {line_for_root(quote(*settings, *words))}"
    advice = advice_on_secrets("The line leaves out", "command lines")
    return f"{line}\n\n{advice}" if advice else line


def repeated_settings() -> list[tuple[str, str]]:
    """Returns the names and values of the environment's settings that are no secrets, and of those that name files."""
    files = [f"{name}_FILE" for name in (*REPEATED, *SECRETS)]
    return [(name, os.environ[name]) for name in (*REPEATED, *files) if os.environ.get(name)]


def advice_on_secrets(omits: str, where: str) -> str:
    """Returns a sentence that names the environment's settings that are secrets and what to do, empty if there are
    none. It begins with ``omits``, and gives the reason that other users can read ``where``."""
    secrets = [name for name in SECRETS if os.environ.get(name) and not os.environ.get(f"{name}_FILE")]
    if not secrets:
        return ""
    names, files = ", ".join(secrets), ", ".join(f"{name}_FILE" for name in secrets)
    return (
        f"{omits} {names}, because other users can read {where}: "
        f"store the value in a file, and name the file with {files}."
    )


def run(
    *command: str,
    cwd: str | None = None,
    output: int = 2,
    variables: dict[str, str] | None = None,
    to_its_end: bool = False,
) -> bool:
    """Runs a program without input, and returns whether it succeeded. Its output goes to the descriptor ``output``, by
    default standard error. ``variables`` are added to the environment. After a signal, the program is killed, or, if
    ``to_its_end`` is true, waited for."""
    import subprocess

    environment = {**os.environ, **(variables or {})}
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
    ) as process:
        try:
            return process.wait() == 0
        except BaseException:
            if not to_its_end:
                process.kill()
            process.wait()
            raise
