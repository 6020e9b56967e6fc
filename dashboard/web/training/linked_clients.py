"""Websocket clients to disconnect together with a participant, or when a session or a shared comparison ends."""

from typing import Any

from dashboard.web.feed_hub import GONE, Client, FeedHub

MIRROR = "mirror:"


def mirror_key(session: str, experiment: str) -> str:
    """Returns the key for clients that follow an experiment as the shared comparison of a session. Both arguments are
    ids."""
    return f"{MIRROR}{session}:{experiment}"


class LinkedClients:
    """Websocket clients by key. All clients of one key are disconnected together.

    A key is the id of a participant, the id of a session, or a ``mirror_key``. Use it only in the event loop.
    """

    def __init__(self) -> None:
        self._clients: dict[str, dict[Client, FeedHub[Any]]] = {}

    def add(self, key: str, client: Client, hub: FeedHub[Any]) -> None:
        """Links a client to a key; ``hub`` is the client's hub."""
        self._clients.setdefault(key, {})[client] = hub

    def remove(self, key: str, client: Client) -> None:
        """Removes the link between a client and a key."""
        clients = self._clients.get(key, {})
        clients.pop(client, None)
        if not clients:
            self._clients.pop(key, None)

    def disconnect(self, key: str) -> None:
        """Closes the connections of all clients that are linked to a key."""
        for client, hub in tuple(self._clients.get(key, {}).items()):
            hub.disconnect(client, GONE)

    def mirrored(self) -> set[str]:
        """Returns the ids of the sessions whose shared comparison has clients."""
        return {key.split(":")[1] for key in self._clients if key.startswith(MIRROR)}

    def end_mirrors(self, session: str, current: str) -> None:
        """Closes the connections to a session's shared comparisons. Those to the experiment ``current`` stay open."""
        for key in tuple(self._clients):
            if key.startswith(mirror_key(session, "")) and key != mirror_key(session, current):
                self.disconnect(key)
