"""Filters and tags of all pages: ``{% load netmodes %}``."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from dashboard.core.experiments.engine_kind import ONLY_PODMAN
from dashboard.core.experiments.messages import (
    ENDED,
    ArmStatus,
    Column,
    ExperimentHead,
    ModeReport,
    Phase,
    PublishedPort,
    Relation,
    TimelineItem,
)
from dashboard.core.experiments.picture import DrawnPath, Picture
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.measurements import formatting
from dashboard.core.modes import Mode
from dashboard.store.operations.database_clock import shared_clock
from dashboard.web.experiments import picture_presenter, table_presenter

register = template.Library()

SHOWN_TIMELINE = 200
#: The phases in which each button or panel is shown.
ACTIONS = {
    "stop": (Phase.WAITING, Phase.PREPARING, Phase.LAUNCHING, Phase.RUNNING),
    "restart": (Phase.RUNNING,),
    "again": ENDED,
    "remove": (Phase.WAITING, *ENDED),  # the lab that should launch it may never respond
    "talk": (Phase.LAUNCHING, Phase.RUNNING),
    "silence": (Phase.WAITING, Phase.PREPARING, Phase.STOPPING, Phase.STOPPED, Phase.FAILED),
}


def phase_word(phase: str) -> str:
    """Returns the translated name of a phase."""
    return {
        Phase.WAITING: _("waiting"),
        Phase.PREPARING: _("preparing"),
        Phase.LAUNCHING: _("launching"),
        Phase.RUNNING: _("running"),
        Phase.STOPPING: _("stopping"),
        Phase.STOPPED: _("stopped"),
        Phase.FAILED: _("failed"),
    }.get(Phase(phase), phase)


def status_word(status: str) -> str:
    """Returns the translated status of an arm. In templates that JavaScript fills in, the status is empty, and so is
    the result."""
    return (
        {
            ArmStatus.WAITING: _("waiting"),
            ArmStatus.CREATED: _("created"),
            ArmStatus.RUNNING: _("running"),
            ArmStatus.REFUSED: _("refused"),
            ArmStatus.EXITED: _("exited"),
            ArmStatus.GONE: _("removed"),
            ArmStatus.LOST: _("removed outside Netmodes"),
        }.get(ArmStatus(status), status)
        if status
        else ""
    )


register.filter("offset", formatting.format_offset)
register.filter("micros", formatting.format_micros)
register.filter("phase_word", phase_word)
register.filter("status_word", status_word)


@register.simple_tag(takes_context=True)
def checkpoint(context: template.Context) -> str:
    """Calls the function ``check`` of the context, if there is one. By raising an exception, ``check`` can stop the
    rendering of a large page."""
    if check := context.get("check"):
        check()
    return ""


@register.filter
def needs_podman(report: ModeReport) -> bool:
    """Whether the mode is unavailable because the engine is not Podman. The page has one common sentence for these
    modes."""
    return report.reason == ONLY_PODMAN


@register.simple_tag
def columns(*titles: str, role: str = "") -> SafeString:
    """Returns the header cells of a table with these titles. ``role`` is the ARIA role of each cell."""
    attributes = format_html('role="{}" ', role) if role else ""
    return format_html_join("", '<th {}scope="col">{}</th>', ((attributes, title) for title in titles))


@register.filter
def arguments(command: str) -> list[str]:
    """Splits a command at its spaces, so that the page breaks lines there and not after hyphens."""
    return command.split(" ") if command else []


@register.filter
def relation_word(relation: Relation) -> str:
    """Returns the translated name of a relation, for screen readers."""
    words = {
        Relation.SAME: _("same"),
        Relation.DIFFERS: _("differs"),
        Relation.ONLY: _("only in some"),
        Relation.UNKNOWN: _("unknown"),
    }
    return words.get(relation, "")


@register.filter
def published(ports: Iterable[PublishedPort]) -> str:
    """Formats published ports, one mapping per line."""
    return "\n".join(table_presenter.format_published(port) for port in ports)


@register.filter
def forwarded(ports: Iterable[PublishedPort] | None) -> tuple[PublishedPort, ...]:
    """Returns the published ports that use a port of the machine. Ports of a routed network use none and are omitted.
    In templates that JavaScript fills in, ``ports`` is None, and the result is empty."""
    return tuple(port for port in ports or () if port.host_port)


@register.simple_tag
def shown_in(action: str, phase: str, always: object = False) -> SafeString:
    """Returns the attributes of an element that is shown only in certain phases: those that ``ACTIONS`` lists for
    ``action``, or all if ``always`` is true. ``phase`` is the present phase."""
    phases = tuple(Phase) if always else ACTIONS[action]
    return format_html('data-phases="{}"{}', " ".join(phases), "" if phase in phases else mark_safe(" hidden"))


@register.filter
def moment(seconds: float | None) -> datetime | None:
    """Converts seconds since the epoch to an aware datetime."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@register.filter
def running_time(head: ExperimentHead) -> str:
    """Formats how long the experiment ran until it stopped, or until the past moment of ``head``, or has run so far;
    empty if it was never started."""
    if head.started_at is None:
        return ""
    end = next((time for time in (head.stopped_at, head.as_it_was) if time is not None), None)
    return formatting.format_duration((shared_clock() if end is None else end) - head.started_at)


@register.filter
def modes_by_column(columns: Iterable[Column]) -> dict[str, str]:
    """Returns the mode of each column by the column's key."""
    return {column.key: column.mode for column in columns}


@register.filter
def has_host_and_bridge(modes: Mapping[str, str]) -> bool:
    """Whether the columns include host mode and a bridge mode. ``modes`` maps the key of each column to its mode."""
    return {Mode.HOST, Mode.BRIDGE} <= set(modes.values()) or {Mode.HOST, Mode.USER_BRIDGE} <= set(modes.values())


@register.filter
def lookup(mapping: Mapping[str, Any], key: str) -> Any:
    """Returns ``mapping[key]``, or an empty text if the key is missing."""
    return mapping.get(key, "")


@register.filter
def newest(items: tuple[TimelineItem, ...]) -> tuple[TimelineItem, ...]:
    """Returns the last entries of a timeline, as many as the page shows."""
    return items[-SHOWN_TIMELINE:]


@register.filter
def older_count(items: tuple[TimelineItem, ...]) -> int:
    """Returns the number of entries before those that ``newest`` returns."""
    return max(0, len(items) - SHOWN_TIMELINE)


@register.simple_tag
def list_sections(snapshot: Snapshot) -> tuple[table_presenter.SectionView, ...]:
    """Prepares the sections of the comparison for the page."""
    return table_presenter.list_sections(snapshot.columns, snapshot.rows)


@register.simple_tag
def count_rows(sections: Iterable[table_presenter.SectionView] | table_presenter.SectionView) -> str:
    """Returns how many rows differ and how many are the same, such as ``31 differ · 58 same``, in one section or in
    several."""
    members = (sections,) if isinstance(sections, table_presenter.SectionView) else tuple(sections)
    counts = {"differ": sum(member.differ for member in members), "same": sum(member.same for member in members)}
    return _("%(differ)d differ · %(same)d same") % counts


@register.simple_tag
def lay_out(picture: Picture, chosen: DrawnPath | None = None) -> picture_presenter.PictureView:
    """Prepares the diagram for the page: positions its texts, and highlights the path ``chosen``."""
    return picture_presenter.lay_out(picture, chosen)


@register.simple_tag
def path_named(paths: Iterable[DrawnPath], key: str = "") -> DrawnPath | None:
    """Returns the path with this key; None if it does not exist or has no hops."""
    return next((path for path in paths or () if path.key == key and path.hops), None)


@register.filter
def with_code(text: str) -> SafeString:
    """Converts a text to HTML in which the parts between backticks are <code> elements."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:
        return format_html("{}", text)
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", one) if place % 2 else one,) for place, one in enumerate(parts))
    )


@register.simple_tag
def path_query(key: str, shown: str = "", at: str = "") -> str:
    """Returns the query of a link that shows the path ``key`` on the diagram. If this path is already shown
    (``shown``), the link hides it. ``at`` is the number of the journal entry whose state the page shows."""
    wanted = {"at": at or "", "path": "" if key == shown else key or ""}
    return f"?{urlencode({name: value for name, value in wanted.items() if value})}"
