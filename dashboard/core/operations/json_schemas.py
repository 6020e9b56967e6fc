"""The JSON Schemas of every shape that leaves the program, made from its type."""

from __future__ import annotations

from typing import Any

import msgspec

from dashboard.core.claims.run import Executed
from dashboard.core.experiments.messages import Comparison, Doctor
from dashboard.core.measurements.measurement import Measurement
from dashboard.core.reports.model import ReportFile
from dashboard.core.training.results.model import SessionReport

SHAPES: dict[str, Any] = {
    "comparison/1": Comparison,
    "doctor/1": Doctor,
    "measurement/1": Measurement,
    "claims/1": list[Executed],
    "report/1": ReportFile,
    "session-report/1": SessionReport,
}


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema of a shape by its name, e.g. ``comparison/1``; KeyError if unknown."""
    return msgspec.json.schema(SHAPES[name])
