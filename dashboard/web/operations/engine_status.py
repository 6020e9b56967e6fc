"""The badge in the header of every page, which shows the state of the engine."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.core.experiments.engine_kind import ENGINE_NAMES, EngineKind
from dashboard.core.operations.heartbeat import Part, part_names
from dashboard.web.operations.health import connected_machines, lab_missing, own_lab_missing
from dashboard.web.service import service


@dataclass(frozen=True, slots=True)
class EngineBadge:
    """The state of the engine, as the header shows it. ``startable``: the page offers a button that starts the
    engine."""

    text: str
    ok: bool
    private: bool
    startable: bool = False
    engine: str = ""


def engine_badge(_request: HttpRequest) -> dict[str, EngineBadge]:
    """Context processor that adds the engine badge."""
    heartbeat, missing = service.heartbeat(), part_names(lab_missing())
    if Part.LAB in missing:
        return {"engine_badge": EngineBadge(_("Lab unavailable"), ok=False, private=False)}
    if Part.LAB in part_names(own_lab_missing()) and (machines := len(connected_machines())):
        text = ngettext("%d machine", "%d machines", machines) % machines
        return {"engine_badge": EngineBadge(text, ok=True, private=False)}
    if heartbeat is None:
        return {"engine_badge": EngineBadge(_("No engine answers"), ok=False, private=False)}
    text = _("%(engine)s does not answer") if Part.ENGINE in missing else "%(engine)s"
    status = heartbeat.status
    short = _("Engine") if status.engine_kind is EngineKind.DOCKER else ENGINE_NAMES[status.engine_kind]
    engine = f"{short} {status.engine}"
    badge = EngineBadge(text % {"engine": engine}, not missing, status.private, status.engine_startable, engine)
    return {"engine_badge": badge}
