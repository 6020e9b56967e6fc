"""The interface between the runner of a measurement and clients on other machines."""

from typing import Any, Protocol

from dashboard.core.measurements.remote.blocks import RemoteBlock


class ClientLostError(Exception):
    """A client on another machine no longer answers. ``str()`` is a sentence for the user."""


class RemoteClients(Protocol):
    """The clients on other machines. Each times its requests with its own clock."""

    async def ask(self, machine: str, block: RemoteBlock, within_s: float) -> dict[str, Any]:
        """Returns the answer of the client on ``machine`` to a block, which takes up to ``within_s`` seconds; a dict
        with the key ``error`` if none arrives. Raises ClientLostError if later blocks will not be answered either."""
