"""Makes, starts and ends the containers of one experiment, and opens their namespaces."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from dashboard.core.experiments.journal import Cause, Source
from dashboard.core.experiments.launch import (
    container_config,
    free_subnet,
    network_line,
    network_request,
    warnings_about_the_arm,
)
from dashboard.core.experiments.lifecycle import (
    Action,
    Adopt,
    CollectExited,
    Create,
    MarkRemoved,
    Remove,
    Start,
    container_name,
    launch_order,
    needed_networks,
    network_name,
)
from dashboard.core.experiments.messages import ArmStatus, ContainerRef
from dashboard.core.modes import MACHINE, NETWORK_DRIVERS, ArmSpec, Mode
from dashboard.engine.images import ImageChoice, ensure_image
from dashboard.engine.protocol import Created, EngineError, EngineUnreachable
from dashboard.lab.context import LABEL_ROUND, Context
from dashboard.lab.experiments.observer import ObservationTarget, Observer
from dashboard.lab.experiments.recorder import Recorder
from dashboard.netns.namespace import NamespaceGone
from dashboard.store import experiments as experiment_store
from dashboard.store.experiments import Record
from dashboard.store.telemetry import counted

log = logging.getLogger(__name__)
LOG_LINES = 20
TAKEN_PAUSES_S = (0.1, 0.2, 0.4, 0.8)
ENDING_PAUSES_S = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 0.0)
NOT_THERE = 404
TAKEN = 409
#: Moby, ``container/state.go``: a forced removal says so before it kills, and it was not ours.
BEING_REMOVED = frozenset({"removing", "dead"})
NOT_ISOLATED = (
    "The container is not in host mode, but its network namespace is the machine's: do not trust this column."
)


class Arms:
    """The containers and networks of one run, each outcome written down where it belongs.

    ``stopping`` is asked before each new container: a stop that comes during a launch ends it.
    """

    def __init__(
        self, context: Context, record: Record, recorder: Recorder, observer: Observer, stopping: Callable[[], bool]
    ) -> None:
        self._context = context
        self._record = record
        self._recorder = recorder
        self._observer = observer
        self._stopping = stopping
        self._images: dict[str, ImageChoice | EngineError] = {}
        self._networks: dict[Mode, EngineError] = {}
        self._making: asyncio.Future[None] | None = None

    # Before the launch.

    def _network(self, arm: ArmSpec) -> str | None:
        return network_name(self._record.id, arm.mode) if arm.mode in NETWORK_DRIVERS else None

    async def prepare_images(self, progress: Callable[[str, float | None], None]) -> str:
        """Gets every image; returns what a person should know. A missing image concerns its own arms only."""
        for reference in dict.fromkeys(arm.image for arm in self._record.spec.arms):
            try:
                self._images[reference] = await ensure_image(
                    self._context.engine,
                    reference,
                    self._context.data_dir,
                    progress,
                    private=self._context.private,
                )
            except EngineUnreachable:
                raise
            except EngineError as error:
                self._images[reference] = error
        notices = (image.sentence for image in self._images.values() if not isinstance(image, EngineError))
        return " ".join(notice for notice in dict.fromkeys(notices) if notice)

    async def _make_networks(self) -> None:
        """The networks that the modes need, all at once; a refusal concerns the arms of that mode."""
        modes = needed_networks(self._record.spec.arms)
        if not modes:
            return
        there = {one.name for one in await self._context.engine.networks(self._context.labels(self._record.id))}
        missing = [mode for mode in modes if network_name(self._record.id, mode) not in there]
        on_links = [mode for mode in missing if mode in {Mode.MACVLAN, Mode.IPVLAN}]
        places = await self._places_on_a_link(on_links) if on_links else {}
        await asyncio.gather(*(self._make_network(mode, *places.get(mode, (None, None))) for mode in missing))

    async def _make_network(self, mode: Mode, parent: str | None, subnet: str | None) -> None:
        try:
            request = network_request(mode, parent=parent, subnet=subnet)
            name = network_name(self._record.id, mode)
            for arm in self._record.spec.arms:
                if arm.mode is mode:
                    cause = Cause(Source.LAB, "network create")
                    self._recorder.set_column(arm.key, cause, setup=network_line(name, request))
            await self._context.engine.create_network(name, request.driver, self._labels(), request.options)
        except EngineUnreachable:
            raise
        except EngineError as error:
            ours = await self._context.engine.networks(self._labels()) if error.status == TAKEN else ()
            if not any(one.name == network_name(self._record.id, mode) for one in ours):
                self._networks[mode] = error
        except ValueError as error:
            self._networks[mode] = EngineError(str(error), 400)

    async def _places_on_a_link(self, modes: Sequence[Mode]) -> dict[Mode, tuple[str | None, str | None]]:
        """For macvlan and ipvlan: the machine's link with the default route, and for each a subnet nobody uses."""
        if MACHINE not in self._observer.keys:
            return {}
        state = self._observer.state(MACHINE)
        parent = next((r.interface for r in state.routes if r.destination == "default" and r.interface), None)
        taken = [r.destination for r in state.routes if "/" in r.destination]
        taken += [one.subnet for one in await self._context.engine.networks({}) if one.subnet]
        places: dict[Mode, tuple[str | None, str | None]] = {}
        for mode in modes:
            subnet = free_subnet(taken)
            taken.append(subnet)
            places[mode] = parent, subnet
        return places

    def _labels(self, arm: str | None = None) -> dict[str, str]:
        return {**self._context.labels(self._record.id, arm), LABEL_ROUND: str(self._record.round)}

    # The launch.

    async def launch(self, actions: tuple[Action, ...]) -> None:
        """Networks made, all arms running and observed: in parallel where nothing waits for another."""
        by_arm = {action.arm: action for action in actions if not isinstance(action, Remove)}
        self._making = asyncio.ensure_future(self._make_networks())
        outcomes = await asyncio.gather(self._making, self._bring_up_in_waves(by_arm), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _bring_up_in_waves(self, by_arm: dict[str, Create | Start | Adopt | CollectExited | MarkRemoved]) -> None:
        for wave in launch_order(self._record.spec.arms):
            results = await asyncio.gather(
                *(self._bring_up(arm, by_arm[arm.key]) for arm in wave if arm.key in by_arm), return_exceptions=True
            )
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def _bring_up(self, arm: ArmSpec, action: Action) -> None:
        if arm.mode in NETWORK_DRIVERS and self._making is not None:
            await asyncio.shield(self._making)
        if self._stopping():
            return
        began = time.monotonic()
        outcome = "unreachable"
        try:
            await self._act(arm, action)
            outcome = str(self._recorder.column(arm.key).status)
        finally:
            if isinstance(action, Create | Start):
                counted.launched(str(arm.mode), outcome, time.monotonic() - began)

    async def _act(self, arm: ArmSpec, action: Action) -> None:
        try:
            match action:
                case MarkRemoved():
                    self._recorder.lost(arm.key)
                case CollectExited():
                    await self.collect_exited(arm.key, action.container)
                case Adopt():
                    await self.observe(arm, action.container)
                case Start():
                    await self._start(arm, action.container)
                case _:
                    await self._start(arm, await self._create(arm))
        except EngineUnreachable:
            raise
        except EngineError as error:
            await self._refused(arm, error)

    async def _refused(self, arm: ArmSpec, error: EngineError) -> None:
        """The Engine's own words stand in the arm's column; what it left half made is removed."""
        text = f"The Engine refuses {arm.key}: {error}"
        self._recorder.set_column(
            arm.key, Cause(Source.ENGINE, "refused"), text, status=ArmStatus.REFUSED, error=str(error), forget=True
        )
        container = self._recorder.column(arm.key).container
        if container is not None:
            await self.remove(container.id)

    async def _create(self, arm: ArmSpec) -> str:
        image = self._images.get(arm.image)
        if isinstance(image, EngineError):
            raise image
        if arm.mode in self._networks:
            raise self._networks[arm.mode]
        reference = image.reference if image is not None else arm.image
        name = container_name(self._record.id, arm.key)
        target = self._recorder.column(arm.target).container if arm.target else None
        config = container_config(
            replace(arm, image=reference),
            name=name,
            labels=self._labels(arm.key),
            network=self._network(arm),
            target_container=target.id if target else (arm.target and container_name(self._record.id, arm.target)),
        )
        created = await self._make(arm, name, config)
        warnings = warnings_about_the_arm(created.warnings)
        said = f"; the Engine warns: {'; '.join(warnings)}" if warnings else ""
        self._recorder.set_column(
            arm.key,
            Cause(Source.ENGINE, "create"),
            f"{arm.key} created{said}",
            status=ArmStatus.CREATED,
            warnings=warnings,
            container=ContainerRef(created.id, name, reference),
        )
        return created.id

    async def _make(self, arm: ArmSpec, name: str, config: dict[str, Any]) -> Created:
        """Creates; a name that a container of ours holds is freed first.

        An engine that hung may have made it after all, long after the answer was waited for; or a lab that ended
        in the middle of a launch has asked for it: the name is taken from then on, the container listed later.
        """
        engine = self._context.engine
        for pause_s in TAKEN_PAUSES_S:
            try:
                return await engine.create_container(name, config)
            except EngineError as error:
                if error.status != TAKEN:
                    raise
            ours = await engine.containers(self._labels(arm.key))
            holders = [one for one in ours if one.name == name]
            for holder in holders:
                await engine.remove_container(holder.id)
            if not holders:
                await asyncio.sleep(pause_s)
        return await engine.create_container(name, config)

    async def _start(self, arm: ArmSpec, container: str) -> None:
        await self._context.engine.start_container(container)
        remembered = self._context.database.run(
            experiment_store.remember_container, self._record.id, arm.key, container
        )
        for outcome in await asyncio.gather(remembered, self.observe(arm, container), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def observe(self, arm: ArmSpec, container: str) -> None:
        """Opens the container's namespace and reads it; one that has already ended is buried."""
        engine = self._context.engine
        facts = await engine.inspect_container(container)
        if not facts.running or facts.pid == 0:
            await self.collect_exited(arm.key, container)
            return
        # A container that joins another's stack has its files too.
        owner = next((one for one in self._record.spec.arms if one.key == arm.target), arm)
        dns = facts.dns or owner.dns
        subject = ObservationTarget(arm.key, facts.pid, owner.mode, facts.resolv_conf_path, facts.hosts_path, dns)
        try:
            state = await self._observer.add(subject)
            again = await engine.inspect_container(container)
        except NamespaceGone as error:
            # The kernel knows of the end of a process some milliseconds before the Engine does.
            for pause in ENDING_PAUSES_S:
                if await self.collect_exited(arm.key, container):
                    return
                await asyncio.sleep(pause)
            raise OSError(str(error)) from error
        except EngineError as error:
            if error.status != NOT_THERE:
                raise
            await self.collect_exited(arm.key, container)
            return
        if (again.pid, again.started_at) != (facts.pid, facts.started_at):
            # The pid may have been reused between inspect and open: what was read would be somebody else's.
            if not await self.collect_exited(arm.key, container):
                raise OSError(f"{arm.key} was restarted while it was read")
            return
        shared = arm.mode in {Mode.HOST, Mode.CONTAINER} or state.netns != self._observer.inode(MACHINE)
        column = replace(
            self._recorder.column(arm.key),
            status=ArmStatus.RUNNING,
            error=None if shared else NOT_ISOLATED,
            container=ContainerRef(again.id, again.name, again.image),
            published=again.published,
            asked=again.asked,
            networks={name: address for name, address in again.networks.items() if name != "host"},
        )
        addresses = ", ".join(address for address in column.networks.values() if address)
        text = f"{arm.key} started" + (f" and got {addresses}" if addresses else "")
        self._recorder.observed(column, state, Cause(Source.ENGINE, "start"), text)

    async def reread(self, key: str, container: str) -> None:
        """Networks and published ports of a running arm, after somebody has connected or disconnected it."""
        try:
            facts = await self._context.engine.inspect_container(container)
        except EngineUnreachable:
            raise
        except EngineError:
            return
        column = self._recorder.column(key)
        networks = {name: address for name, address in facts.networks.items() if name != "host"}
        if facts.running and (networks, facts.published) != (column.networks, column.published):
            cause = Cause(Source.ENGINE, "inspect")
            self._recorder.set_column(key, cause, networks=networks, published=facts.published)

    # The end.

    async def collect_exited(self, key: str, container: str) -> bool:
        """An arm that has ended: exit code and last lines are kept, then it is removed as ``--rm`` would.

        False if it runs: somebody has restarted it, or it could not be entered for another reason.
        """
        engine = self._context.engine
        await self._observer.remove(key)
        try:
            facts = await engine.inspect_container(container)
            logs = await engine.container_logs(container, LOG_LINES)
        except EngineUnreachable:
            raise
        except EngineError:
            self._recorder.lost(key)
            return True
        if facts.status in BEING_REMOVED:
            self._recorder.lost(key)
            return True
        if facts.running:
            return False
        last = f": {logs[-1]}" if logs else ""
        self._recorder.set_column(
            key,
            Cause(Source.ENGINE, "die"),
            f"{key} exited with code {facts.exit_code}{last}",
            status=ArmStatus.EXITED,
            exit_code=facts.exit_code,
            logs=logs,
            error=facts.error or None,
            published=(),
            forget=True,
        )
        await self.remove(container)
        return True

    async def remove(self, container: str) -> None:
        """Removes; a refusal is logged, the next pass tries again."""
        try:
            await self._context.engine.remove_container(container)
        except EngineUnreachable:
            raise
        except EngineError as error:
            log.warning("container %s could not be removed: %s", container[:12], error)

    async def remove_all(self) -> None:
        """Removes every container, then every network of this experiment."""
        engine = self._context.engine
        labels = self._context.labels(self._record.id)
        await asyncio.gather(*(self.remove(one.id) for one in await engine.containers(labels)))
        for network in await engine.networks(labels):
            try:
                await engine.remove_network(network.id)
            except EngineUnreachable:
                raise
            except EngineError as error:
                log.warning("network %s could not be removed: %s", network.name, error)
