"""What is to be done about the hosts of classes: wanted and real compared. No clock, nothing is done here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.training.capacity import HostLimits, queue

#: An engine that ends so often within ``DEATHS_S`` is not started again.
DEATHS_MOST = 3
DEATHS_S = 120.0


class Wish(StrEnum):
    """What somebody wants of a group's host."""

    RUNNING = "running"
    STOPPED = "stopped"
    RESET = "reset"


class HostStage(StrEnum):
    """How far it is."""

    QUEUED = "queued"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A group's host as it is wanted and as it was last noted. ``host`` is its id, empty without one; ``over``: its
    session is closed or has expired. Times in seconds of the epoch, ``ttl_s`` and ``idle_s`` in seconds."""

    group: str
    wish: Wish
    stage: HostStage
    host: str
    since: float
    used_at: float
    ttl_s: float
    idle_s: float
    over: bool
    limits: HostLimits


@dataclass(frozen=True, slots=True)
class Real:
    """A host that is there: its engine runs, or only what it left."""

    running: bool
    started: float


class Act(StrEnum):
    """What is done."""

    START = "start"
    AGAIN = "again"  # its engine has ended: the same host anew
    ADOPT = "adopt"
    STOP = "stop"
    RESET = "reset"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing to do for one group, with what people are told of it."""

    group: str
    act: Act
    reason: str = ""


def hours_or_minutes(seconds: float) -> str:
    """``4 hours``, ``30 minutes``."""
    number, unit = (seconds / 3600, "hour") if seconds >= 3600 else (seconds / 60, "minute")
    return f"{number:.3g} {unit}{'' if number == 1 else 's'}"


def deeds(
    wanted: Sequence[Wanted],
    real: Mapping[str, Real],
    busy: Collection[str],
    deaths: Mapping[str, Sequence[float]],
    now: float,
    *,
    room: int,
    slots: int,
) -> tuple[Deed, ...]:
    """What to do now. ``busy`` groups have something under way; ``room`` hosts more fit, ``slots`` may be started at
    this moment."""
    found: list[Deed] = []
    waiting: list[tuple[float, str]] = []
    for one in wanted:
        if one.group in busy:
            continue
        there = real.get(one.host) if one.host else None
        if one.wish is Wish.RESET and not one.over:
            found.append(Deed(one.group, Act.RESET))
        elif reason := _ends(one, there, now):
            if one.stage is not HostStage.STOPPED or one.host:
                found.append(Deed(one.group, Act.STOP, reason))
        elif one.stage in {HostStage.FAILED, HostStage.STOPPED}:
            continue  # until somebody asks for it again
        elif there is None:
            waiting.append((one.since, one.group))
        elif not there.running:
            often = [at for at in deaths.get(one.group, ()) if now - at <= DEATHS_S]
            gives_up = len(often) >= DEATHS_MOST
            why = f"Its engine ended {len(often)} times within {hours_or_minutes(DEATHS_S)}: reset the host."
            found.append(Deed(one.group, Act.GIVE_UP if gives_up else Act.AGAIN, why if gives_up else ""))
        elif one.stage is not HostStage.READY:
            found.append(Deed(one.group, Act.ADOPT))
    again = [one for one in found if one.act is Act.AGAIN]
    allowed = {one.group for one in again[: max(0, slots)]}
    found = [one for one in found if one.act is not Act.AGAIN or one.group in allowed]
    most = max(0, min(room, slots - len(allowed)))
    return (*found, *(Deed(group, Act.START) for group in queue(waiting)[:most]))


def _ends(one: Wanted, there: Real | None, now: float) -> str:
    """Why it is to be stopped, empty if it is not."""
    if one.over:
        return "The session is over."
    if one.wish is Wish.STOPPED:
        return "It was stopped."
    if there is not None and one.ttl_s and now - there.started > one.ttl_s:
        return f"It was stopped after {hours_or_minutes(one.ttl_s)}, as the instructor has set it."
    if there is not None and one.idle_s and now - max(one.used_at, there.started) > one.idle_s:
        return f"It was stopped because nobody used it for {hours_or_minutes(one.idle_s)}."
    return ""


def place_of(group: str, wanted: Sequence[Wanted]) -> int:
    """Whose turn it is: 1 is next; 0 for a group that does not wait."""
    waiting = [
        (one.since, one.group)
        for one in wanted
        if one.stage is HostStage.QUEUED and one.wish is Wish.RUNNING and not one.over
    ]
    order = queue(waiting)
    return order.index(group) + 1 if group in order else 0
