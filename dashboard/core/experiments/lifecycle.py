"""Decides what to do next for an experiment, by comparing its wanted state with the containers of the Engine.

``plan`` serves a launch, a stop, and the restart of a lab that was killed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.modes import ArmSpec, Mode


class Wanted(StrEnum):
    """The wanted state of an experiment."""

    RUNNING = "running"
    STOPPED = "stopped"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """A container of the experiment as the Engine reports it. ``started_before`` is false if it was only created."""

    id: str
    arm: str
    running: bool
    started_before: bool
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Create:
    """Create and start the container of this arm."""

    arm: str


@dataclass(frozen=True, slots=True)
class Start:
    """Start a container that was created by an interrupted launch."""

    arm: str
    container: str


@dataclass(frozen=True, slots=True)
class Adopt:
    """Observe a running container."""

    arm: str
    container: str


@dataclass(frozen=True, slots=True)
class CollectExited:
    """Record the exit code and last log lines of a container that has exited."""

    arm: str
    container: str


@dataclass(frozen=True, slots=True)
class MarkRemoved:
    """Record that a container was removed outside Netmodes."""

    arm: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a container that is not wanted."""

    container: str


Action = Create | Start | Adopt | CollectExited | MarkRemoved | Remove


def plan(
    wanted: Wanted, arms: Sequence[ArmSpec], observed: Sequence[ObservedContainer], launched: Mapping[str, str]
) -> tuple[Action, ...]:
    """Returns the actions that lead from the ``observed`` containers to the ``wanted`` state.

    Containers that belong to no arm are removed first. Then follow the actions for the arms in their order.
    ``launched`` has the container id of each arm that was launched. If such an arm no longer has a container, the
    container was removed outside Netmodes, and the arm is not launched again.
    """
    if wanted is not Wanted.RUNNING:
        return tuple(Remove(container.id) for container in observed)
    by_arm = {container.arm: container for container in observed}
    known = {arm.key for arm in arms}
    actions: list[Action] = [Remove(container.id) for container in observed if container.arm not in known]
    for arm in arms:
        container = by_arm.get(arm.key)
        if container is None:
            actions.append(MarkRemoved(arm.key) if arm.key in launched else Create(arm.key))
        elif container.running:
            actions.append(Adopt(arm.key, container.id))
        elif container.started_before:
            actions.append(CollectExited(arm.key, container.id))
        else:
            actions.append(Start(arm.key, container.id))
    return tuple(actions)


def launch_order(arms: Sequence[ArmSpec]) -> tuple[tuple[ArmSpec, ...], ...]:
    """Groups the arms into waves. The arms of one wave can start in parallel; the waves start one after the other. An
    arm that shares a namespace is in a later wave than the owner of the namespace.

    An arm with a missing target is in the last wave, and the Engine refuses it.
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


def removal_waves(network_modes: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Groups containers into waves. The containers of one wave can be removed in parallel; the waves are removed one
    after the other. ``network_modes`` has the ``HostConfig.NetworkMode`` of each container by id.

    Containers that share a namespace are in an earlier wave than its owner: Podman refuses to remove the owner first.
    """
    owners = {
        key: mode.removeprefix("container:") for key, mode in network_modes.items() if mode.startswith("container:")
    }
    waves: list[tuple[str, ...]] = []
    rest = list(network_modes)
    while rest:
        needed = {owners[key] for key in rest if key in owners}
        wave = tuple(key for key in rest if key not in needed) or tuple(rest)
        waves.append(wave)
        rest = [key for key in rest if key not in wave]
    return tuple(waves)


def container_name(experiment: str, arm: str) -> str:
    """The name of an arm's container, unique on the engine."""
    return f"nm-{experiment}-{arm}"
