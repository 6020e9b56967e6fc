"""Sends multicast datagrams over the machine's links and observes which containers they reach."""

from __future__ import annotations

from collections.abc import Callable

from dashboard.core.experiments.journal import Attempt, View
from dashboard.core.modes import MACHINE
from dashboard.core.paths.multicast import (
    GROUP,
    NOT_SENT,
    PORT,
    expected_losses,
    joining_link,
    multicast_attempts,
    receiving_columns,
    sending_links,
)
from dashboard.netns.multicast import Receiver, send_to_group
from dashboard.netns.namespace import Namespace

COLUMN_GONE = "The column no longer exists."


async def try_multicast(view: View, namespace_of: Callable[[str], Namespace | None]) -> tuple[Attempt, ...]:
    """Sends one datagram to a multicast group over each link of the machine, one after the other.

    Returns one attempt for each link and column, or ``NOT_SENT`` if nothing could be sent. The receivers are sockets
    that Netmodes opens in the containers' network namespaces, so the image needs no program for this. ``namespace_of``
    returns the namespace of a column, None if the column is gone.
    """
    columns, states = view.columns, view.states
    machine = namespace_of(MACHINE)
    if machine is None:
        return (NOT_SENT,)
    running = receiving_columns(columns, states)
    errors: dict[str, str] = {}
    receivers: dict[str, Receiver] = {}
    for column in running:
        namespace, joining = namespace_of(column.key), joining_link(states[column.key])
        if namespace is None:
            errors[column.key] = COLUMN_GONE
        elif joining is not None:
            receivers[column.key] = Receiver(namespace, joining.index)
    attempts: list[Attempt] = []
    for link in sending_links(columns, states):
        arrived = await send_to_group(machine, link.index, GROUP, PORT, receivers)
        losses = expected_losses(link, running, states)
        attempts += multicast_attempts(link, running, arrived.senders, errors | arrived.errors, losses)
    return tuple(attempts) or (NOT_SENT,)
