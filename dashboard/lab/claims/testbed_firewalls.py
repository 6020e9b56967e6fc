"""The commands of firewall programs on a private host."""

import asyncio
from collections.abc import Sequence

from dashboard.core.claims.testbed import NotTestableError
from dashboard.engine.firewalls.ufw import ufw_command
from dashboard.engine.hosts import private_host
from dashboard.engine.lab_image import LabImageUnavailableError
from dashboard.lab.claims.engines import ClaimEngine


async def firewall_command(target: ClaimEngine, argv: Sequence[str]) -> list[str]:
    """The command line that runs ``argv`` on this engine's machine: adapted for ufw and firewall-cmd, otherwise
    unchanged. NotTestableError if the firewall program is missing, or the machine is not a private host."""
    if argv[0] not in {"ufw", "firewall-cmd"}:
        return list(argv)
    host = target.host
    if host is None or target.data_dir is None:
        raise NotTestableError("Firewall programs run on private hosts only.")
    if argv[0] == "firewall-cmd":
        bus = private_host.RUN / host.id / "bus"
        return ["env", f"DBUS_SYSTEM_BUS_ADDRESS=unix:path={bus}", *argv]
    try:
        cache = target.data_dir / "cache"
        return await asyncio.to_thread(ufw_command, host.folder / "ufw", cache, argv[1:])
    except LabImageUnavailableError as error:
        raise NotTestableError(f"ufw is not available: {error}") from error
