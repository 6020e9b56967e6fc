"""Explains each difference in one sentence, if the columns themselves prove it.

A sentence mentions only modes that are present. Sources: Docker's documentation of the network drivers and Moby's
libnetwork.

A reason may depend only on the columns, on the namespaces that they share, and on the fields that ``rows.INPUTS`` lists
for the section. ``rows.RowCache`` reuses the rows until one of these changes.
"""

from collections.abc import Callable, Mapping

from dashboard.core.comparison.cells import Cell, ObservedColumns, RowKey
from dashboard.core.comparison.name_reasons import explain_dns, explain_hosts
from dashboard.core.comparison.phrases import RowCells
from dashboard.core.comparison.port_reasons import explain_listeners, explain_published
from dashboard.core.comparison.stack_reasons import (
    NO_INTERFACE,
    explain_identity,
    explain_interfaces,
    explain_routes,
    explain_sysctls,
)
from dashboard.core.experiments.messages import Column


def absent_word(observed: ObservedColumns, column: Column, key: RowKey) -> str:
    """Returns the words that a column shows in a row in which it has no value, such as “no listener”. The column must
    have a state."""
    protocol, colon, port = key.key.partition(" :")
    if key.section == "listeners" and colon:
        asked = (protocol, int(port))
        inside = next((p.container_port for p in column.published if (p.protocol, p.host_port) == asked), None)
        if inside is not None:
            return observed.name_machine(f"the machine's :{port} leads to :{inside} here")
    if key.section == "interfaces" and any(link.name == key.key for link in observed.states[column.key].interfaces):
        return {"joined": "joined to nothing", "mac": "no MAC address"}.get(key.field, "none")
    words = {
        "listeners": "no listener",
        "interfaces": NO_INTERFACE,
        "routes": "no such route",
        "hosts": "not listed",
        "sysctls": "not readable",
        "dns": "not looked up",
        "identity": "unknown",
    }
    return words.get(key.section, "none")


_EXPLAIN: dict[str, Callable[[ObservedColumns, RowKey, RowCells], str]] = {
    "identity": explain_identity,
    "published": explain_published,
    "listeners": explain_listeners,
    "interfaces": explain_interfaces,
    "routes": explain_routes,
    "dns": explain_dns,
    "hosts": explain_hosts,
    "sysctls": explain_sysctls,
}


def explain(observed: ObservedColumns, key: RowKey, cells: Mapping[str, Cell]) -> str:
    """Returns why the columns differ in this row; empty if no reason can be proved. ``cells`` has the cell of each
    column."""
    return observed.name_machine(_EXPLAIN[key.section](observed, key, cells))
