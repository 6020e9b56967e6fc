"""Adapts the commands of firewall programs so that they act on a private host."""

import asyncio
from collections.abc import Sequence

from dashboard.core.claims.testbed import NotTestableError
from dashboard.engine.firewalls.ufw import ufw_command
from dashboard.engine.hosts import private_host
from dashboard.engine.lab_image import LabImageUnavailableError
from dashboard.lab.claims.engines import ClaimEngine


async def firewall_command(target: ClaimEngine, argv: Sequence[str]) -> list[str]:
    """Returns the command line that runs ``argv`` on the engine's machine.

    Only commands of ufw and firewall-cmd are changed. These two programs can run only on a private host: on another
    machine, NotTestableError is raised. It is also raised for a command of ufw if ufw is not available.
    """
    if argv[0] not in {"ufw", "firewall-cmd"}:
        return list(argv)
    host = target.host
    if host is None or target.data_dir is None:
        raise NotTestableError("Firewall programs can run only on private hosts.")
    if argv[0] == "firewall-cmd":
        bus = private_host.RUN / host.id / "bus"
        return ["env", f"DBUS_SYSTEM_BUS_ADDRESS=unix:path={bus}", *argv]
    try:
        cache = target.data_dir / "cache"
        return await asyncio.to_thread(ufw_command, host.folder / "ufw", cache, argv[1:])
    except LabImageUnavailableError as error:
        raise NotTestableError(f"ufw is not available: {error}") from error
