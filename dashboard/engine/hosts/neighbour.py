"""The neighbour of a private host: a machine without Docker on the host's LAN.

The neighbour is a network namespace with addresses and without processes. ``user_namespace.lan.create_lan`` creates it
with the first host of the LAN, and it ends with the last host. ``Namespace.of_path_inside`` opens it, with the host's
pid and the result of ``neighbour_path``.
"""

from __future__ import annotations

from dashboard.engine.hosts.preparation import RUN

#: The neighbour's addresses on the LAN (documentation ranges, RFC 5737 and RFC 3849).
NEIGHBOUR_ADDRESSES = ("192.0.2.10", "2001:db8::10")


def neighbour_path(endpoint: str) -> str:
    """Returns the path of the neighbour's namespace as the engine at ``endpoint`` sees it; empty if
    ``endpoint`` does not belong to a private host."""
    folder, _, file = endpoint.removeprefix("unix://").rpartition("/")
    is_host = endpoint.startswith(f"unix://{RUN}/") and file == "docker.sock"
    return f"{folder}/neighbour" if is_host else ""
