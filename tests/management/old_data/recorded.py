"""What version 0013 recorded in ``tests/recorded``: a database, reports, links and cookies."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).resolve().parents[2] / "recorded"
REPORT, CLAIMS = RECORDED / "report-0013.json", RECORDED / "report-claims-0013.json"
OLD: dict[str, Any] = json.loads((RECORDED / "links-0013.json").read_text())
CLOSED, OPEN = OLD["closed"], OLD["open"]
EXPERIMENT, MEASUREMENT, SAVED = OLD["experiment"], OLD["measurement"], OLD["report"]
CONSOLE = f"/sessions/{CLOSED['session']}/console/"


def recorded(name: str) -> Any:
    """A recorded JSON document."""
    return json.loads((RECORDED / name).read_text())


def table(text: str) -> list[dict[str, str]]:
    """The rows of a CSV by column."""
    return list(csv.DictReader(io.StringIO(text)))
