"""What each container offers to another machine on the LAN, as the machine's listeners and published ports show."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.core.comparison.answer.comparison_table import ComparisonTable, join_parts, verb_for
from dashboard.core.experiments.messages import ArmStatus, Column, Row
from dashboard.core.modes import NEIGHBOUR
from dashboard.core.namespaces.addresses import primary_addresses
from dashboard.core.namespaces.resolver import is_loopback
from dashboard.core.namespaces.state import NamespaceState


def offer_to_the_lan(table: ComparisonTable) -> tuple[Row, str] | None:
    """The sentence and the row that proves it; None without a neighbour."""
    machine = table.machine
    if machine is None or all(column.key != NEIGHBOUR for column in table.columns):
        return None
    address = next((one for one in primary_addresses(machine) if ":" not in one), "")
    row = next(_rows(table), None)
    if row is None or not address:
        return None
    running = [column for column in table.arms if column.status is ArmStatus.RUNNING]
    parts = [_describe(column, machine, address, shares=column in table.sharing_machine) for column in running]
    text = join_parts(parts)
    return (row, f"To another machine on the LAN, {text}") if text else None


def _rows(table: ComparisonTable) -> Iterator[Row]:
    """The rows of published ports, then those of the listeners of host mode containers."""
    yield from (row for row in table.rows if (row.section, row.field) == ("published", "published"))
    ports = (table.row(f"listeners/tcp :{column.port}/") for column in table.sharing_machine)
    yield from (row for row in ports if row is not None)


def _describe(column: Column, machine: NamespaceState, address: str, *, shares: bool) -> str:
    if shares:
        own = [one for one in machine.listeners if (one.protocol, one.port) == ("tcp", column.port)]
        if any(not is_loopback(one.address) for one in own):
            return f"{column.title} offers {address}:{column.port}"
        return f"{column.title} offers nothing" + (": it listens on loopback only" if own else "")
    ports = [one for one in column.published if one.protocol == "tcp" and one.host_port]
    outside = [one for one in ports if not is_loopback(one.host_address)]
    if outside:
        endpoints = list(dict.fromkeys(f"{address}:{one.host_port}" for one in outside))
        return (
            f"{column.title} offers only its published {verb_for([column] * len(endpoints), 'port', 'ports')} "
            + ", ".join(endpoints)
        )
    return f"{column.title} offers nothing: " + ("it publishes on loopback only" if ports else "it publishes no port")
