"""Remote calls from the instructor's console to the lab of a group's host."""

from dataclasses import dataclass

from dashboard.core.workshops.observation import mode_of
from dashboard.lab.context import LABEL_ARM, LABEL_EXPERIMENT
from dashboard.lab.reconciler import Lab
from dashboard.lab.workshops.snapshot import timestamp

MAX_CONTAINERS = 40


@dataclass(frozen=True, slots=True)
class HostContainer:
    """A container on a group's host. ``since`` is the time of its start in seconds since the epoch, 0 if it never ran.
    ``experiment`` and ``arm`` are empty if a terminal or a workshop step has created it."""

    name: str
    image: str
    mode: str
    status: str
    running: bool
    since: float
    experiment: str = ""
    arm: str = ""


async def containers(lab: Lab) -> tuple[HostContainer, ...]:
    """Returns the containers of the host, running ones first, at most ``MAX_CONTAINERS``. Raises EngineError."""
    engine = lab.context.engine
    drivers = {network.name: network.driver for network in await engine.networks({})}
    listed = [
        HostContainer(
            container.name,
            container.image,
            str(mode_of(container.network_mode, drivers)),
            container.status,
            container.running,
            timestamp(container.started_at),
            container.labels.get(LABEL_EXPERIMENT, ""),
            container.labels.get(LABEL_ARM, ""),
        )
        for container in await engine.containers({})
    ]
    return tuple(sorted(listed, key=lambda item: (not item.running, -item.since, item.name))[:MAX_CONTAINERS])
