"""Cells with what the engine of a machine reports about itself and about the kernel."""

from collections.abc import Iterator

from dashboard.core.comparison.cells import Cell, RowKey
from dashboard.core.experiments.engine_kind import ENGINE_NAMES
from dashboard.core.experiments.messages import ReportedEngine

_PROXY = {True: "started for published ports", False: "not started", None: ""}


def describe_facts(facts: ReportedEngine) -> str:
    """Returns the engine and the kernel as text: ``Docker Engine 28.5.2 · kernel 6.12.0``."""
    kernel = f"kernel {facts.kernel}" if facts.kernel else ""
    return " · ".join(part for part in (f"{ENGINE_NAMES[facts.kind]} {facts.version}", kernel) if part)


def engine_cells(facts: ReportedEngine | None) -> Iterator[tuple[RowKey, Cell]]:
    """Yields the cells of a machine's engine. Yields nothing if ``facts`` is None: the machine's lab has not reported
    the engine."""
    if facts is None:
        return
    texts = (
        ("version", "Engine", f"{ENGINE_NAMES[facts.kind]} {facts.version}", ""),
        ("api", "API version", facts.api, "not reported"),
        ("kernel", "Kernel", facts.kernel, "not reported"),
        ("system", "Operating system", facts.system, "not reported"),
        ("firewall", "Firewall backend", facts.firewall, "not reported"),
        ("proxy", "docker-proxy", _PROXY[facts.userland_proxy], "not reported by this engine"),
        ("cgroups", "cgroup version", facts.cgroups, "not reported"),
        ("drivers", "Network drivers", " ".join(facts.drivers), "not reported"),
    )
    for number, (key, label, text, absent) in enumerate(texts):
        yield RowKey("engines", key, "", label, (number,)), Cell(text or None, absent=absent, visible=bool(text))
