"""Finds the addresses at which browsers can open this web process, from its listening sockets and the machine's
addresses."""

import os
from contextlib import suppress
from functools import cache

import psutil
from django.conf import settings
from django.http import HttpRequest

from dashboard import configuration
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.training.join_address import (
    JoinAddress,
    ServedAt,
    choose_join_address,
    is_local,
    reachable_addresses,
)
from dashboard.netns.netlink.interfaces import LinkTable, open_route_socket


def read_own_network() -> NamespaceState:
    """Reads the links and routes of this process's network namespace from the kernel.

    Needs no privileges. Blocks for about 30 µs per link.
    """
    with open_route_socket() as opened:
        table = LinkTable(0)
        table.load_links(opened)
        table.load_routes(opened)
        return NamespaceState(0, interfaces=table.interfaces(), routes=table.routes())


@cache
def listening_addresses(port: int) -> tuple[str, ...]:
    """Returns the IP addresses at which this process listens on a TCP port.

    Cached, because all sockets are open before the first request.
    """
    sockets = psutil.Process(os.getpid()).net_connections("tcp")
    return tuple(one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN and one.laddr.port == port)


def join_address(request: HttpRequest) -> JoinAddress:
    """Returns the address with which links begin that others open, such as those with which participants join sessions.
    Call it in a thread, because it may block."""
    origin, port = f"{request.scheme}://{request.get_host()}", int(request.get_port())
    own: tuple[str, ...] = ()
    listening: tuple[str, ...] = ()
    if is_local(origin):
        with suppress(OSError, psutil.Error):
            own, listening = reachable_addresses(read_own_network()), listening_addresses(port)
    server = ServedAt(
        port=port,
        listening=listening,
        own=own,
        allowed=tuple(settings.ALLOWED_HOSTS),
        origins=tuple(settings.CSRF_TRUSTED_ORIGINS),
        configured=tuple(configuration.words("NETMODES_ALLOWED_HOSTS")),
    )
    return choose_join_address(origin, server)
