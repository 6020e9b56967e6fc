"""The diagram of a whole engine as a workshop observes it. The diagram includes containers that Netmodes did not
launch."""

from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.messages import Column, ContainerRef
from dashboard.core.experiments.picture import Picture
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.visibility import MACHINE_TITLE
from dashboard.core.workshops.observation import ContainerSnapshot, Observation

#: The maximum number of containers in the diagram; older ones are left out. More are not readable from a distance.
MAX_CONTAINERS = 4


def draw_engine(observation: Observation, machine: str = MACHINE_TITLE) -> tuple[Picture, Picture] | None:
    """Returns the wide and the narrow diagram of the machine and its ``MAX_CONTAINERS`` newest running containers. The
    containers are drawn in the order of their start. ``machine`` is the title of the machine's box. None if the
    machine's network stack could not be read."""
    if observation.machine is None:
        return None
    shown = [each for each in observation.running if each.state is not None][:MAX_CONTAINERS]
    shown.sort(key=lambda each: (each.started, each.name))
    states = {each.id: each.state for each in shown if each.state is not None}
    columns = (Column(MACHINE, MACHINE, machine), *map(_column, shown))
    return draw(columns, {MACHINE: observation.machine, **states})


def _column(container: ContainerSnapshot) -> Column:
    return Column(
        container.id,
        container.mode,
        container.name,
        container=ContainerRef(container.id, container.name, container.image),
        published=container.published,
        asked=container.requested,
        networks=dict(container.networks),
        target=container.target or None,
    )
