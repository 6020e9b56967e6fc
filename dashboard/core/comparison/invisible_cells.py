"""Cells of columns whose network stacks Netmodes cannot read. One row of each section states this. The section identity
also shows the addresses that the Engine's API reports."""

from dashboard.core.comparison.cells import Cell, Cells, ObservedColumns, RowKey
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.visibility import not_visible

#: One row of each section. Those with the key ``all`` stand for a section in which nothing is visible.
_ROWS = {
    "identity": RowKey("identity", "netns", "", "Network namespace", (0,)),
    "listeners": RowKey("listeners", "all", "", "All listeners"),
    "interfaces": RowKey("interfaces", "all", "", "All interfaces"),
    "routes": RowKey("routes", "all", "", "All routes"),
    "dns": RowKey("dns", "resolver", "nameservers", "Name servers", (0, 0)),
    "hosts": RowKey("hosts", "all", "", "All names"),
    "sysctls": RowKey("sysctls", "all", "", "All sysctls"),
}


def invisible_cells(observed: ObservedColumns, section: str, column: Column) -> Cells:
    """Yields the cells of a running column that has no state."""
    absent = not_visible(column.invisible)
    row = _ROWS[section]
    if row.key != "all" or not observed.states:
        yield row, Cell(absent=absent, visible=False)
    if section == "identity":
        own = ", ".join(address for address in column.networks.values() if address)
        key = RowKey("identity", "address", "", "Own address", (1,))
        if own:
            yield key, Cell(own)
        elif column.key == MACHINE:
            yield key, Cell(absent=absent, visible=False)
        else:
            yield key, Cell(absent="none assigned by the Engine")
