"""The interface between the runner of a measurement and clients on other machines."""

from typing import Any, Protocol

from dashboard.core.measurements.remote.blocks import RemoteBlock


class ClientLostError(Exception):
    """A client on another machine no longer answers. ``str()`` is a sentence for the user."""


class RemoteClients(Protocol):
    """The clients on other machines. Each times its requests with its own clock."""

    async def ask(self, machine: str, block: RemoteBlock, within_s: float) -> dict[str, Any]:
        """Lets the client on ``machine`` measure ``block``, and returns its answer. ``within_s`` is the time for the
        measurement in seconds. If no answer arrives in time, returns a dict with the key ``error``. Raises
        ClientLostError if later blocks will not be answered either."""
