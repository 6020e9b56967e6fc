"""What the instructor's console asks of the lab of a group's host (``questions``)."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.core.workshops.observation import mode_of
from dashboard.lab.context import LABEL_ARM, LABEL_EXPERIMENT
from dashboard.lab.reconciler import Lab
from dashboard.lab.workshops.snapshot import seconds_of

MOST = 40


@dataclass(frozen=True, slots=True)
class HostContainer:
    """A container on a group's host, whoever made it. ``experiment`` and ``arm`` name what it belongs to; empty: it
    was typed or made by a step's button; ``since`` in seconds of the epoch, 0 if it never ran."""

    name: str
    image: str
    mode: str
    status: str
    running: bool
    since: float
    experiment: str = ""
    arm: str = ""


async def containers(lab: Lab) -> tuple[HostContainer, ...]:
    """The containers of the host, running ones first. EngineError."""
    engine = lab.context.engine
    drivers = {one.name: one.driver for one in await engine.networks({})}
    found = [
        HostContainer(
            one.name,
            one.image,
            str(mode_of(one.network_mode, drivers)),
            one.status,
            one.running,
            seconds_of(one.started_at),
            one.labels.get(LABEL_EXPERIMENT, ""),
            one.labels.get(LABEL_ARM, ""),
        )
        for one in await engine.containers({})
    ]
    return tuple(sorted(found, key=lambda one: (not one.running, -one.since, one.name))[:MOST])
