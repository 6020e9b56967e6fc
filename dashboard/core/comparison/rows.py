"""Compares states: which facts are the same, which differ, and which only one column has.

The order of rows is stable: by ``SECTIONS``, then by weight, then by rank. Order and identity of rows do not depend on
the order of observations.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from dashboard.core.comparison.cells import ObservedColumns
from dashboard.core.comparison.machines.rows import machine_section_rows, observe_groups
from dashboard.core.comparison.row_building import section_rows
from dashboard.core.experiments.messages import Column, Row
from dashboard.core.namespaces.state import NamespaceState


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the table. ``about`` explains it and names its source."""

    key: str
    title: str
    about: str


SECTIONS: tuple[Section, ...] = (
    Section(
        "engines",
        "Engines and kernels",
        "What the engine of each machine reports about itself and its kernel (GET /version and /info).",
    ),
    Section(
        "identity",
        "Identity",
        "A network namespace is one complete network stack, identified by its inode: the same number means the same "
        "stack (namespaces(7)).",
    ),
    Section(
        "published",
        "Published ports",
        "Ports requested with -p (HostConfig.PortBindings), and ports that the Engine published "
        "(NetworkSettings.Ports).",
    ),
    Section(
        "listeners",
        "Listeners",
        "Sockets that accept connections or datagrams, read with sock_diag(7), and the process of each.",
    ),
    Section(
        "interfaces",
        "Interfaces",
        "Interfaces and their addresses, read with rtnetlink(7). In host mode they are the machine's.",
    ),
    Section("routes", "Routes", "The main routing table (ip-route(8))."),
    Section(
        "dns",
        "DNS",
        "The resolver in /etc/resolv.conf (resolv.conf(5)), and lookups from inside each column.",
    ),
    Section("hosts", "Hosts file", "Names that are resolved without a name server (hosts(5))."),
    Section(
        "sysctls",
        "Network sysctls",
        "Kernel settings of the network namespace, some of which Docker changes for containers.",
    ),
)

#: The fields of a state that each section depends on, in addition to the columns and their shared namespaces.
INPUTS: dict[str, tuple[str, ...]] = {
    "engines": (),
    "identity": ("namespaces", "hostname", "interfaces", "routes"),
    "published": ("interfaces",),
    "listeners": ("listeners", "sysctls"),
    "interfaces": ("interfaces",),
    "routes": ("routes", "interfaces"),
    "dns": ("resolver", "lookups"),
    "hosts": ("hosts", "hostname"),
    "sysctls": ("sysctls",),
}


class RowCache:
    """Keeps the rows of the last comparison by section, for reuse while their inputs are unchanged."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, tuple[Row, ...]]] = {}

    def get(self, section: str, inputs: object, make: Callable[[], tuple[Row, ...]]) -> tuple[Row, ...]:
        """Returns the rows of the section. Calls ``make`` to build them only if ``inputs`` differ from those of the
        last call for this section."""
        known = self._known.get(section)
        if known is None or known[0] != inputs:
            known = self._known[section] = (inputs, make())
        return known[1]


def compare(
    columns: Sequence[Column], states: Mapping[str, NamespaceState], cache: RowCache | None = None
) -> tuple[Row, ...]:
    """Returns all rows of a comparison in the order of the table. Columns of several machines are compared within each
    machine and between the machines. ``cache`` saves time and does not change the result."""
    cache = cache or RowCache()
    groups = observe_groups(columns, states)
    observed = ObservedColumns(tuple(columns), states)
    shared = (observed.columns, tuple((key, state.netns) for key, state in states.items()))
    rows: list[Row] = []
    for section in SECTIONS:
        values = tuple(getattr(state, name) for state in states.values() for name in INPUTS[section.key])
        make = partial(machine_section_rows, groups) if groups else partial(section_rows, observed)
        rows += cache.get(section.key, (shared, values), partial(make, section.key))
    return tuple(rows)
