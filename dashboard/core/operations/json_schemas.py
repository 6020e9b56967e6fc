"""The JSON Schemas of the documents that Netmodes writes, generated from their types."""

from typing import Any

import msgspec

from dashboard.core.claims.run import ExecutedClaim
from dashboard.core.experiments.messages import Comparison, Doctor
from dashboard.core.measurements.measurement import MeasurementDocument
from dashboard.core.reports.model import ReportFile
from dashboard.core.training.results.model import SessionReport

DOCUMENT_TYPES: dict[str, Any] = {
    "comparison/1": Comparison,
    "doctor/1": Doctor,
    "measurement/1": MeasurementDocument,
    "claims/1": list[ExecutedClaim],
    "report/1": ReportFile,
    "session-report/1": SessionReport,
}


def schema_of(name: str) -> dict[str, Any]:
    """Returns the JSON Schema of the document with this name, such as ``comparison/1``. Raises KeyError if it is
    unknown."""
    return msgspec.json.schema(DOCUMENT_TYPES[name])
