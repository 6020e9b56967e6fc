"""The neighbour of a private host: a machine without Docker on the host's LAN.

It is a network namespace with addresses and without processes. ``lan.sh`` creates it with the host, and it ends with
the host. ``Namespace.of_path_inside(host.pid, neighbour_path(host.endpoint))`` opens it; from there
``netns.request.request`` sends a request and ``netns.exec_tool.run_inside`` runs a program."""

from __future__ import annotations

from dashboard.engine.hosts.preparation import RUN

#: The neighbour's addresses on the LAN (documentation ranges, RFC 5737 and RFC 3849).
NEIGHBOUR_ADDRESSES = ("192.0.2.10", "2001:db8::10")


def neighbour_path(endpoint: str) -> str:
    """The file of the neighbour's namespace, as seen from the engine at ``endpoint``; empty if the engine is not
    that of a private host."""
    folder, _, file = endpoint.removeprefix("unix://").rpartition("/")
    is_host = endpoint.startswith(f"unix://{RUN}/") and file == "docker.sock"
    return f"{folder}/neighbour" if is_host else ""
