"""Finds the programs that private hosts run: those of the machine, or those of a root file system with a different
engine.

All functions block, except ``answers``.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from dashboard import configuration
from dashboard.engine.hosts import disk
from dashboard.engine.hosts.runtimes import (
    SEARCH_PATH,
    Runtime,
    configured_runtime,
    suitable_runtime,
    user_namespace_refusal,
)

TOOLS = ("dockerd", "containerd", "ip", "unshare", "nsenter", "setpriv", "mount")
#: Executed after another root is mounted, so they must be in it.
ENGINE_TOOLS = ("dockerd", "containerd", "ip", "iptables")
#: Scripts that private_host.sh runs before the engine, or that start it in another way.
SETUPS = Path(__file__).with_name("setups")
#: What a setup needs that a machine with an engine may lack.
SETUP_TOOLS = {"firewalld": ("dbus-daemon", "dbus-send", "firewalld", "firewall-cmd")}


def engine_root() -> Path | None:
    """Returns the root file system with the engine that private hosts run (NETMODES_ENGINE_ROOT); None if they run the
    machine's engine."""
    root = configuration.value("NETMODES_ENGINE_ROOT")
    return Path(root).absolute() if root else None


def engine_options() -> dict[str, Any]:
    """Returns the options for the daemon.json of every private host (NETMODES_ENGINE_OPTIONS). Raises
    ConfigurationError if they are not a JSON object."""
    text = configuration.value("NETMODES_ENGINE_OPTIONS")
    options, reason = None, "not an object"
    try:
        options = json.loads(text or "{}")
    except ValueError as error:
        reason = str(error)
    if not isinstance(options, dict):
        raise configuration.ConfigurationError(
            f"NETMODES_ENGINE_OPTIONS is not a JSON object with options of dockerd ({reason})."
        )
    return options


def engine_setup() -> str:
    """Returns the setup with which private hosts start their engine (NETMODES_ENGINE_SETUP). It is the name of a script
    in SETUPS; a hyphen and an argument may follow. Empty if dockerd is started without a script."""
    return configuration.value("NETMODES_ENGINE_SETUP")


def require_valid_settings() -> None:
    """Raises ConfigurationError if a setting of private hosts is not valid. Otherwise, only the start of a host would
    report that."""
    engine_options()
    configured_runtime()
    disk.size_mb()


def setup_script(setup: str) -> Path:
    """Returns the path of the script for ``setup``. The text before the first hyphen of ``setup`` is the name of the
    script; the text after it is an argument of the script."""
    return SETUPS / f"{setup.partition('-')[0]}.sh"


def setup_line(setup: str) -> str:
    """Returns the line that private_host.sh reads: the path of the script and ``setup``. Empty if there is no setup."""
    return f"{setup_script(setup)} {setup}\n" if setup else ""


def engine_version(root: Path | None) -> str:
    """Returns the output of ``dockerd --version`` in this root file system (None: the machine's). Empty if the program
    cannot be executed or does not end within ten seconds."""
    command = ["dockerd", "--version"] if root is None else ["chroot", str(root), "dockerd", "--version"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def missing_requirement(root: Path | None = None, setup: str = "", runtime: str | None = None) -> str:
    """Returns the reason why no private host can be started with these arguments of ``private_host.start``; empty if
    one can."""
    if os.geteuid() != 0:
        return "A private host needs root to create namespaces: run Netmodes with sudo."
    own = [tool for tool in TOOLS if root is None or tool not in ENGINE_TOOLS]
    missing = [tool for tool in own if _lacks(tool)]
    if missing:
        return (
            f"A private host needs {', '.join(missing)}: install the missing programs "
            "(apt-get install docker.io iproute2 util-linux, or Docker's own packages)."
        )
    absent = [tool for tool in ENGINE_TOOLS if _lacks(tool, root)] if root is not None else []
    if absent:
        return f"{root} lacks {', '.join(absent)}: NETMODES_ENGINE_ROOT must name a root file system with an engine."
    if setup and not setup_script(setup).is_file():
        return f"NETMODES_ENGINE_SETUP names {setup}: there is no {setup_script(setup)}."
    if absent := [tool for tool in SETUP_TOOLS.get(setup, ()) if _lacks(tool, root)]:
        return f"{root or 'This machine'} lacks {', '.join(absent)}: a private host with {setup} needs it."
    try:
        options = engine_options()
        used = Runtime(runtime) if runtime else suitable_runtime(setup, options)
        if used is not Runtime.USER_NAMESPACE:
            return ""
        disk.size_mb()
    except ValueError as error:
        return str(error)
    return user_namespace_refusal()


def _lacks(tool: str, root: Path | None = None) -> bool:
    if root is None:
        return shutil.which(tool, path=SEARCH_PATH) is None
    # The links in a root are absolute: what they name is found in the root only once it is mounted.
    return not any(os.path.lexists(root / folder / tool) for folder in ("usr/sbin", "usr/bin"))


async def answers(socket: str) -> bool:
    """Returns whether the engine at this socket answers ``GET /_ping`` within 2 s."""
    writer = None
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_unix_connection(socket)
            writer.write(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        if writer is not None:
            writer.close()
