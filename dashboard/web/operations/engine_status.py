"""The engine, in one chip on every page."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext as _

from dashboard.core.operations.heartbeat import Part, parts_missing
from dashboard.web.operations.health import lab_missing
from dashboard.web.service import service


@dataclass(frozen=True, slots=True)
class Chip:
    """What stands in it."""

    text: str
    ok: bool
    private: bool


def engine_chip(_request: HttpRequest) -> dict[str, Chip]:
    """Context processor."""
    beat, missing = service.beat(), parts_missing(lab_missing())
    if Part.LAB in missing:
        return {"engine_chip": Chip(_("The lab is away"), ok=False, private=False)}
    if beat is None:
        return {"engine_chip": Chip(_("No engine answers"), ok=False, private=False)}
    text = _("Engine %(version)s does not answer") if Part.ENGINE in missing else _("Engine %(version)s")
    said = text % {"version": beat.vitals.engine}
    return {"engine_chip": Chip(said, ok=not missing, private=beat.vitals.private)}
