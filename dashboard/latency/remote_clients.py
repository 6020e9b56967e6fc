"""Clients on other machines, as the runner of a measurement uses them."""

from typing import Any, Protocol

from dashboard.core.measurements.remote.blocks import RemoteBlock


class ClientLostError(Exception):
    """A client on another machine no longer answers; ``str()`` is a sentence."""


class RemoteClients(Protocol):
    """The clients on other machines. They time their requests with their own clocks."""

    async def ask(self, machine: str, block: RemoteBlock, within_s: float) -> dict[str, Any]:
        """The client's answer to a block. Raises ClientLostError."""
