"""What to do next for an experiment: wanted against real, as a pure function.

The same pass serves a launch, a restart after ``kill -9`` and a stop: it looks at what is wanted
and at what the Engine has with our labels, and answers with actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.modes import NETWORK_DRIVERS, ArmSpec, Mode


class Wanted(StrEnum):
    """What somebody asked for."""

    RUNNING = "running"
    STOPPED = "stopped"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """One of our containers as the Engine has it. ``known`` is true when it was adopted before."""

    id: str
    arm: str
    running: bool
    started_before: bool


@dataclass(frozen=True, slots=True)
class Create:
    """Make and start the container of this arm."""

    arm: str


@dataclass(frozen=True, slots=True)
class Start:
    """The container was made, but never started: a launch was cut short."""

    arm: str
    container: str


@dataclass(frozen=True, slots=True)
class Adopt:
    """The container runs and is ours: observe it."""

    arm: str
    container: str


@dataclass(frozen=True, slots=True)
class CollectExited:
    """The container has exited: say with which code and what it printed last."""

    arm: str
    container: str


@dataclass(frozen=True, slots=True)
class MarkRemoved:
    """The container was there and is gone, and it was not us."""

    arm: str


@dataclass(frozen=True, slots=True)
class Remove:
    """The container is ours and not wanted."""

    container: str


Action = Create | Start | Adopt | CollectExited | MarkRemoved | Remove


def plan(
    wanted: Wanted, arms: Sequence[ArmSpec], real: Sequence[ObservedContainer], launched: Mapping[str, str]
) -> tuple[Action, ...]:
    """Actions that lead from ``real`` to ``wanted``, arms in order.

    ``launched`` maps the arms that once had a container to its id: an arm in it that is not in
    ``real`` was removed by somebody else and is not made again unasked.
    """
    if wanted is not Wanted.RUNNING:
        return tuple(Remove(one.id) for one in real)
    by_arm = {one.arm: one for one in real}
    known = {arm.key for arm in arms}
    actions: list[Action] = [Remove(one.id) for one in real if one.arm not in known]
    for arm in arms:
        one = by_arm.get(arm.key)
        if one is None:
            actions.append(MarkRemoved(arm.key) if arm.key in launched else Create(arm.key))
        elif one.running:
            actions.append(Adopt(arm.key, one.id))
        elif one.started_before:
            actions.append(CollectExited(arm.key, one.id))
        else:
            actions.append(Start(arm.key, one.id))
    return tuple(actions)


def needed_networks(arms: Sequence[ArmSpec]) -> tuple[Mode, ...]:
    """The modes among ``arms`` for which the experiment needs a network of its own, each once."""
    return tuple(dict.fromkeys(arm.mode for arm in arms if arm.mode in NETWORK_DRIVERS))


def launch_order(arms: Sequence[ArmSpec]) -> tuple[tuple[ArmSpec, ...], ...]:
    """Arms in waves that can start in parallel: those that share a namespace wait for its owner.

    An arm whose target is missing comes in the last wave: the Engine then says why it cannot be.
    """
    waves: list[tuple[ArmSpec, ...]] = []
    done: set[str] = set()
    rest = list(arms)
    while rest:
        wave = tuple(arm for arm in rest if arm.mode is not Mode.CONTAINER or arm.target in done)
        if not wave:
            wave = tuple(rest)
        waves.append(wave)
        done |= {arm.key for arm in wave}
        rest = [arm for arm in rest if arm.key not in done]
    return tuple(waves)


def container_name(experiment: str, arm: str) -> str:
    """The name of an arm's container: unique on the engine, readable in ``docker ps``."""
    return f"nm-{experiment}-{arm}"


def network_name(experiment: str, mode: Mode) -> str:
    """The name of the network that an experiment makes for a mode."""
    return f"nm-{experiment}" if mode is Mode.USER_BRIDGE else f"nm-{experiment}-{mode}"
