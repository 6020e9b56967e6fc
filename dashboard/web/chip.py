"""The engine, in one chip on every page."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext as _

from dashboard.web.service import service


@dataclass(frozen=True, slots=True)
class Chip:
    """What stands in it."""

    text: str
    ok: bool
    private: bool


def engine_chip(_request: HttpRequest) -> dict[str, Chip]:
    """Context processor."""
    context = service.context
    if context is None:
        return {"engine_chip": Chip(_("No engine"), ok=False, private=False)}
    text = _("Engine %(version)s") % {"version": context.info.version}
    return {"engine_chip": Chip(text, ok=True, private=context.private)}
