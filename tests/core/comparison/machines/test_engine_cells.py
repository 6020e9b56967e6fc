"""Cells of what an engine reports."""

from __future__ import annotations

from dashboard.core.comparison.machines.engine_cells import describe_facts, engine_cells
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.messages import ReportedEngine


def test_every_reported_fact_has_a_cell() -> None:
    facts = ReportedEngine(
        "29.5.0", EngineKind.DOCKER, "1.54", "6.12.0", "Debian 13", "nftables", False, "2", ("bridge", "host")
    )
    cells = {key.key: cell.text for key, cell in engine_cells(facts)}
    assert cells == {
        "version": "Docker Engine 29.5.0",
        "api": "1.54",
        "kernel": "6.12.0",
        "system": "Debian 13",
        "firewall": "nftables",
        "proxy": "not started",
        "cgroups": "2",
        "drivers": "bridge host",
    }


def test_a_value_that_an_engine_does_not_report_is_not_guessed() -> None:
    cells = {key.key: cell for key, cell in engine_cells(ReportedEngine("28.0.0", userland_proxy=None))}
    assert cells["proxy"].text is None
    assert cells["proxy"].absent == "not reported by this engine"
    assert not cells["kernel"].visible
    assert list(engine_cells(None)) == []


def test_the_engine_of_a_machine_is_described_in_one_line() -> None:
    assert describe_facts(ReportedEngine("28.0.0", kernel="6.1.0")) == "Docker Engine 28.0.0 · kernel 6.1.0"
    assert describe_facts(ReportedEngine("5.4.2", EngineKind.PODMAN)) == "Podman 5.4.2"
