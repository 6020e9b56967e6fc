"""Messages of a session's websocket: one for all participants, and a small one for each. ``docs/api.md`` lists them.

Times are seconds since the epoch, 0 for never.
"""

from dataclasses import dataclass
from typing import Literal

from dashboard.core.experiments.stream import PROTOCOL_VERSION
from dashboard.core.training.predictions import Histogram


@dataclass(frozen=True, slots=True)
class SessionMessage:
    """A hint or a question."""

    at: float
    text: str
    from_instructor: bool
    to_all: bool = False


@dataclass(frozen=True, slots=True)
class SessionState:
    """The state that all participants may see. ``step`` and ``gate`` are slugs; ``open_until`` counts the open steps;
    ``histogram`` is that of ``step``, once revealed; ``mirror``: the instructor shows a comparison, in which
    ``pointer`` is the row that the instructor points at."""

    title: str
    step: str
    step_title: str
    number: int
    of: int
    pace: str
    gate: str
    open_until: int
    locked: bool
    timer_ends_at: float
    closed: bool
    mirror: bool
    pointer: str
    participants: int
    present: int
    answered: int
    hosts: bool = False
    revealed: tuple[str, ...] = ()
    histogram: Histogram | None = None
    hint: SessionMessage | None = None
    type: Literal["session"] = "session"
    v: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class ParticipantState:
    """The state for one participant. ``host`` is the stage of the group's private host, empty without hosts."""

    name: str
    admitted: bool
    hand: bool
    messages: tuple[SessionMessage, ...] = ()
    host: str = ""
    host_text: str = ""
    type: Literal["participant"] = "participant"
    v: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class ProgressChanged:
    """The progress of the session has changed: the instructor's page fetches it."""

    number: int
    type: Literal["progress"] = "progress"
    v: int = PROTOCOL_VERSION
