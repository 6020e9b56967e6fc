"""The columns of an experiment before anything runs."""

from collections.abc import Sequence

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.launch import run_line
from dashboard.core.experiments.lifecycle import container_name
from dashboard.core.experiments.messages import ArmStatus, Column, ReportedEngine
from dashboard.core.experiments.networks import attached_networks, own_network
from dashboard.core.modes import (
    MACHINE,
    NEIGHBOUR,
    NETWORK_DRIVERS,
    OTHER_CONTAINER,
    OTHER_HOST,
    ROOTLESS_NETNS,
    ArmSpec,
    Mode,
)
from dashboard.core.namespaces.visibility import MACHINE_TITLE

ROOTLESS_COLUMN = Column(ROOTLESS_NETNS, MACHINE, ROOTLESS_NETNS)
OTHER_COLUMNS = (
    Column(OTHER_HOST, OTHER_HOST, "other host"),
    Column(OTHER_CONTAINER, OTHER_CONTAINER, "remote container", status=ArmStatus.WAITING),
)


def run_command(experiment: str, arm: ArmSpec, arms: Sequence[ArmSpec], whole: str | None = None) -> str:
    """Returns the ``docker run`` line of an arm. It contains ``--name`` only if another arm or a network needs the
    name.

    ``experiment`` is the id of the experiment, and ``arms`` are all its arms. On several machines, ``experiment`` is
    the id of one machine's part, and ``whole`` the id of the experiment on all machines.
    """
    shared = any(other.target == arm.key for other in arms)
    return run_line(
        arm,
        name=container_name(experiment, arm.key) if shared or arm.mode in NETWORK_DRIVERS else None,
        network=own_network(experiment, arm, whole),
        attached=attached_networks(experiment, arm),
        target_name=container_name(experiment, arm.target) if arm.target else None,
    )


def initial_columns(
    experiment: str,
    arms: Sequence[ArmSpec],
    engine: EngineKind = EngineKind.DOCKER,
    machine: str = MACHINE_TITLE,
    *,
    neighbour: bool = False,
    other_host: bool = False,
    rootless_netns: bool = False,
    facts: ReportedEngine | None = None,
    whole: str | None = None,
) -> tuple[Column, ...]:
    """Returns the columns of an experiment before its launch: the machine, then a waiting column for each arm.

    ``neighbour`` adds the neighbour. ``other_host`` adds the other host and its container. ``rootless_netns`` adds the
    namespace with the bridges of a rootless Podman, if an arm is on a bridge.

    ``engine`` is the kind of the machine's engine. ``facts`` is what this engine reports about itself. ``machine`` is
    the title of the machine's column. On several machines, ``experiment`` is the id of one machine's part, and
    ``whole`` the id of the experiment on all machines.
    """
    # In experiments of earlier versions, an arm may have the key of the neighbour or of rootless-netns.
    taken = {arm.key for arm in arms}
    bridges = any(arm.mode in {Mode.BRIDGE, Mode.USER_BRIDGE} for arm in arms)
    return (
        Column(MACHINE, MACHINE, machine, engine_kind=engine, engine=facts),
        *(
            Column(
                arm.key,
                arm.mode,
                arm.key,
                command=run_command(experiment, arm, arms, whole),
                status=ArmStatus.WAITING,
                target=arm.target,
                port=arm.port,
            )
            for arm in arms
        ),
        *([ROOTLESS_COLUMN] if rootless_netns and bridges and ROOTLESS_NETNS not in taken else []),
        *([Column(NEIGHBOUR, NEIGHBOUR, NEIGHBOUR)] if neighbour and NEIGHBOUR not in taken else []),
        *(OTHER_COLUMNS if other_host else ()),
    )
