"""dashboard.bench.measurements.fidelity."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.bench.measurements import fidelity
from dashboard.bench.measurements.fidelity import Turn, disagreements, figures_of
from dashboard.bench.statistics import Verdict


def test_ours_is_compared_with_each_reference_and_the_references_with_each_other() -> None:
    turn = Turn({"netperf": 10.0, "sockperf": 8.0}, {"netperf": (10.0, 10.4), "sockperf": (10.4, 10.0)})
    figures = figures_of({"a": [turn] * 4}, {"a": "tcp-rr loopback"}, "busy")
    assert [(figure.name, figure.reference, figure.verdict) for figure in figures] == [
        ("tcp-rr loopback, busy", "netperf", Verdict.KEPT),
        ("tcp-rr loopback, busy", "sockperf", Verdict.BROKEN),
        ("tcp-rr loopback, busy: netperf", "sockperf", None),
    ]
    assert disagreements(figures) == [
        "tcp-rr loopback, busy: netperf and sockperf are 25% apart: no figure is within 5 % of both."
    ]
    assert disagreements(figures[:2]) == []


def test_pressure_is_read_as_the_kernel_prints_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cpu"
    monkeypatch.setattr(fidelity, "PRESSURE", file)
    assert fidelity.pressure_us() == 0
    file.write_text("some avg10=87.85 avg60=75.73 avg300=58.18 total=1046084279\nfull avg10=0.00 total=12\n")
    assert fidelity.pressure_us() == 1046084279
