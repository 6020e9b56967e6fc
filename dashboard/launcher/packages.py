"""Installs packages of the distribution with apt, or tells the user what to type."""

import os

from dashboard.launcher.console import LauncherError, say
from dashboard.launcher.launch import Launch
from dashboard.launcher.machine import has, is_root, line_for_root, run


class Packages:
    """Collects the missing packages that a command needs, then installs them together or lists them for the user."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.missing: dict[str, str] = {}

    def need(self, package: str, reason: str) -> None:
        """Adds a missing package. ``reason`` states what it is needed for."""
        self.missing[package] = reason

    def need_program(self, package: str, reason: str, *programs: str) -> None:
        """Adds the package unless all of these programs are on PATH."""
        if not has(*programs):
            self.need(package, reason)

    def install(self) -> None:
        """Installs the collected packages. Raises LauncherError with the command to type if this user may not install
        packages, installing is disabled, or apt is missing."""
        if not self.missing:
            return
        forbidden = os.environ.get("NETMODES_NO_INSTALL", "") not in {"", "0"}
        if forbidden or not is_root() or not has("apt-get"):
            raise LauncherError(self._instructions())
        for package, reason in self.missing.items():
            say(f"Installing {package}: {reason}")
        with self.launch.lock():
            self._apt_install()
        self.missing.clear()

    def _instructions(self) -> str:
        reasons = "\n".join(f"{package}: {reason}" for package, reason in self.missing.items())
        head = f"{self.launch.command} needs packages that are not installed:\n\n{reasons}\n\n"
        if not has("apt-get"):
            return f"{head}Install them with this system's package manager (the names are Debian's)."
        install = line_for_root(f"apt-get install --no-install-recommends {' '.join(self.missing)}")
        return f"{head}Type:\n\n  {line_for_root('apt-get update')}\n  {install}"

    def _apt_install(self) -> None:
        install = ("--no-install-recommends", "-y", "install", *self.missing)
        if self._apt(*install):
            return
        # There are no package lists yet, or outdated ones that name versions which the archive has dropped.
        say("Reading the package lists.")
        if not self._apt("update"):
            say("netmodes: apt-get update failed; continuing with the present lists.")
        if not self._apt(*install):
            with open(self._log, encoding="utf-8", errors="replace") as log:
                say("".join(log.readlines()[-20:]).rstrip())
            raise LauncherError(f"apt-get could not install {' '.join(self.missing)}")

    @property
    def _log(self) -> str:
        return f"{self.launch.data}/apt.log"

    def _apt(self, *arguments: str) -> bool:
        # needrestart must only list services, not restart the machine's other services.
        variables = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"}
        command = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *arguments)
        with open(self._log, "w", encoding="utf-8") as log:
            # To its end, because dpkg cannot be used after it was killed. The terminal sends Ctrl-C to apt-get, too.
            return run(*command, output=log.fileno(), variables=variables, to_its_end=True)
