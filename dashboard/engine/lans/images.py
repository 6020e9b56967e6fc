"""Adds the lab image to the hosts of a LAN, and to private hosts that a command starts."""

from collections.abc import Callable
from pathlib import Path

from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.images import ensure_image


async def add_image(host: PrivateHost, folder: Path, say: Callable[[str], None]) -> None:
    """Imports the lab image into the host's engine under the name nginx. ``folder`` is the data folder; ``say`` is
    called with a text for each step. Raises EngineError."""
    # Imported here because only this needs the SDK, which takes as long to import as the rest of a command.
    from dashboard.engine.docker_engine import DockerEngine

    async with DockerEngine(host.endpoint) as engine:
        await ensure_image(engine, "nginx", folder, lambda text, _fraction: say(text), private=True)
