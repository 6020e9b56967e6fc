"""Queries to an engine's API, for checks after every test: the docker command takes thirty times as long."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import quote


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def get(endpoint: str, path: str, **filters: str) -> Any:
    """The JSON response to a GET request at ``unix:///…``; ``filters`` as ``docker --filter NAME=VALUE`` takes them."""
    connection = UnixConnection(endpoint.removeprefix("unix://"))
    query = quote(json.dumps({name: [value] for name, value in filters.items()}))
    try:
        connection.request("GET", f"{path}{'&' if '?' in path else '?'}filters={query}")
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return json.loads(body)
    finally:
        connection.close()


def containers(endpoint: str, **filters: str) -> list[str]:
    """The names of all containers, including stopped ones."""
    listed = get(endpoint, "/containers/json?all=1", **filters)
    return [(container["Names"] or [container["Id"]])[0].lstrip("/") for container in listed]


def networks(endpoint: str, **filters: str) -> list[str]:
    """The names of all user-defined networks."""
    # Podman refuses the filter type=custom.
    predefined = {"bridge", "host", "none", "podman"}
    return [name for network in get(endpoint, "/networks", **filters) if (name := network["Name"]) not in predefined]
