"""What the websocket of a session tells: one text for everybody, and a small one for each participant.

``docs/api.md`` lists them. Times are seconds of the epoch, 0 for never.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dashboard.core.experiments.stream import PROTOCOL_VERSION
from dashboard.core.training.predictions import Histogram


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was written to somebody."""

    at: float
    text: str
    from_instructor: bool
    to_all: bool = False


@dataclass(frozen=True, slots=True)
class SessionState:
    """What everybody may know, as it is now. ``step`` and ``gate`` are slugs; ``open_until`` counts the steps that are
    open; ``histogram`` is that of ``step``, once it was revealed; ``mirror`` tells whether a comparison is shown, and
    ``pointer`` which of its rows is talked about."""

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
    hint: Said | None = None
    type: Literal["session"] = "session"
    v: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class ParticipantState:
    """What only one participant is told. ``host`` is the stage of its group's private host, empty where there are none."""

    name: str
    admitted: bool
    hand: bool
    said: tuple[Said, ...] = ()
    host: str = ""
    host_text: str = ""
    type: Literal["participant"] = "participant"
    v: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class ClassChanged:
    """Something in the class is new: the instructor's page asks for it."""

    number: int
    type: Literal["class"] = "class"
    v: int = PROTOCOL_VERSION
