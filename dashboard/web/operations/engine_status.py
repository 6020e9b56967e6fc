"""The state of the engine in the header of every page."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext as _

from dashboard.core.operations.heartbeat import Part, part_names
from dashboard.web.operations.health import lab_missing
from dashboard.web.service import service


@dataclass(frozen=True, slots=True)
class EngineChip:
    """The chip in the header."""

    text: str
    ok: bool
    private: bool


def engine_chip(_request: HttpRequest) -> dict[str, EngineChip]:
    """Context processor."""
    heartbeat, missing = service.heartbeat(), part_names(lab_missing())
    if Part.LAB in missing:
        return {"engine_chip": EngineChip(_("Lab unavailable"), ok=False, private=False)}
    if heartbeat is None:
        return {"engine_chip": EngineChip(_("No engine answers"), ok=False, private=False)}
    text = _("Engine %(version)s does not answer") if Part.ENGINE in missing else _("Engine %(version)s")
    status = heartbeat.status
    return {"engine_chip": EngineChip(text % {"version": status.engine}, ok=not missing, private=status.private)}
