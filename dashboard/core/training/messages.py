"""The messages of a session's websocket: one for all participants, and a small one for each participant.
``docs/api.md`` lists them.

Times are seconds since the epoch, 0 for never.
"""

from dataclasses import dataclass
from typing import Literal

from dashboard.core.experiments.stream import PROTOCOL_VERSION
from dashboard.core.training.predictions import Histogram


@dataclass(frozen=True, slots=True)
class SessionMessage:
    """A hint of the instructor, or a question of a participant."""

    at: float
    text: str
    from_instructor: bool
    to_all: bool = False


@dataclass(frozen=True, slots=True)
class SessionState:
    """The state that all participants may see.

    ``step`` and ``gate`` are slugs. ``number`` is the position of ``step``, counted from 1; ``of`` is the number of all
    steps. ``open_until`` is the number of open steps. ``histogram`` has the predictions of ``step``, once its answer is
    revealed. ``mirror`` is true if the instructor shows a comparison to all. ``pointer`` is the row of this comparison
    at which the instructor points.
    """

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
    """The state that only one participant may see. ``host`` is the stage of the group's host, empty if the session has
    no hosts. ``host_can_start`` is true if a request starts the host. ``closed`` is true if the session is over; a
    participant who is not admitted does not get the ``SessionState``."""

    name: str
    admitted: bool
    hand: bool
    messages: tuple[SessionMessage, ...] = ()
    host: str = ""
    host_text: str = ""
    host_can_start: bool = False
    closed: bool = False
    type: Literal["participant"] = "participant"
    v: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class ProgressChanged:
    """Tells the instructor's page that the progress of the session has changed, so that it fetches the grid again.
    ``number`` counts these messages."""

    number: int
    type: Literal["progress"] = "progress"
    v: int = PROTOCOL_VERSION
