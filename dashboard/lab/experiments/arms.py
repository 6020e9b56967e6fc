"""Creates, starts, observes and removes the containers of one experiment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.journal import Cause, Source
from dashboard.core.experiments.launch import container_config, requested_ports, warnings_about_the_arm
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
)
from dashboard.core.experiments.messages import ArmStatus, ContainerRef, LaunchStep
from dashboard.core.experiments.networks import attached_networks, own_network
from dashboard.core.modes import MACHINE, NETWORK_DRIVERS, ArmSpec, Mode
from dashboard.engine.protocol import ContainerFacts, EngineError, EngineUnreachable
from dashboard.lab.context import LABEL_ROUND, Context
from dashboard.lab.experiments.concurrency import gather_all
from dashboard.lab.experiments.containers import (
    assigned_addresses,
    create_container,
    describe_start,
    read_exit,
    remove_container,
    running_column,
)
from dashboard.lab.experiments.images import Images, prepare_images
from dashboard.lab.experiments.networks import ExperimentNetworks, MissingFeature
from dashboard.lab.experiments.observer import ObservationTarget, Observer
from dashboard.lab.experiments.recorder import Recorder
from dashboard.netns.namespace import NamespaceGone
from dashboard.store import experiments as experiment_store
from dashboard.store.experiments import Record
from dashboard.store.telemetry import telemetry

EXIT_PAUSES_S = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 0.0)
#: How many times a container is read if it is restarted during each reading.
OBSERVATIONS = 3
NOT_FOUND = 404
NETWORK_CREATED = Cause(Source.LAB, "network create")
STARTED = Cause(Source.ENGINE, "start")
NOT_ISOLATED = "Not in host mode, but found in the machine's network namespace: do not trust this column."


class Arms:
    """The containers and networks of one round (one run of an experiment). ``recorder`` records them. ``stopping`` is
    called before each creation; if it returns true, the launch ends."""

    def __init__(
        self, context: Context, record: Record, recorder: Recorder, observer: Observer, stopping: Callable[[], bool]
    ) -> None:
        self._context = context
        self._record = record
        self._recorder = recorder
        self._observer = observer
        self._stopping = stopping
        self._images: Images = {}
        self._networks = ExperimentNetworks(context, record, observer, stopping, self._show_networks)
        self._creating_networks: asyncio.Future[None] | None = None
        self._machine: asyncio.Future[None]

    async def prepare_images(self, progress: Callable[[str, float | None], None]) -> str:
        """Finds or pulls every image. Returns a notice for the user, empty if there is nothing to report. ``progress``
        is called with a text and the completed fraction (None if unknown)."""
        self._images, notice = await prepare_images(self._context, self._record.spec.arms, progress)
        return notice

    async def launch(self, actions: tuple[Action, ...], machine: asyncio.Future[None]) -> None:
        """Performs ``actions``: creates the networks, and starts and observes the arms. Arms that do not depend on each
        other are launched at the same time. ``machine`` completes when the machine's state has been read. Containers
        start only after that, so that the journal records how they change the machine."""
        self._machine = machine
        by_arm = {action.arm: action for action in actions if not isinstance(action, Remove)}
        self._creating_networks = asyncio.ensure_future(self._networks.create(machine))
        await gather_all(self._creating_networks, self._launch_waves(by_arm))

    def _show_networks(self, arm: str, lines: str) -> None:
        self._recorder.set_column(arm, NETWORK_CREATED, setup=lines, step=LaunchStep.NETWORK)

    async def _launch_waves(self, by_arm: dict[str, Create | Start | Adopt | CollectExited | MarkRemoved]) -> None:
        for wave in launch_order(self._record.spec.arms):
            await gather_all(*(self._launch_arm(arm, by_arm[arm.key]) for arm in wave if arm.key in by_arm))

    async def _launch_arm(self, arm: ArmSpec, action: Action) -> None:
        if arm.mode in NETWORK_DRIVERS and self._creating_networks is not None:
            await asyncio.shield(self._creating_networks)
            self._recorder.set_column(arm.key, NETWORK_CREATED, step=LaunchStep.CREATE)
        if self._stopping():
            return
        began = time.monotonic()
        outcome = "unreachable"
        try:
            await self._apply(arm, action)
            outcome = str(self._recorder.column(arm.key).status)
        finally:
            if isinstance(action, Create | Start):
                telemetry.record_launch(str(arm.mode), outcome, time.monotonic() - began)

    async def _apply(self, arm: ArmSpec, action: Action) -> None:
        try:
            match action:
                case MarkRemoved():
                    self._recorder.mark_removed(arm.key)
                case CollectExited():
                    await self.collect_exited(arm.key, action.container)
                case Adopt():
                    await asyncio.shield(self._machine)
                    await self.observe(arm, action.container, adopted=True)
                case Start():
                    await self._start(arm, action.container)
                case _:
                    await self._start(arm, await self._create(arm))
        except EngineUnreachable:
            raise
        except EngineError as error:
            await self._refused(arm, error)

    async def _refused(self, arm: ArmSpec, error: EngineError) -> None:
        """Records the error in the arm's column. Removes a container that was created but could not be started."""
        missing = isinstance(error, MissingFeature)
        text = f"{arm.key} cannot be launched: {error}" if missing else f"The Engine refuses {arm.key}: {error}"
        self._recorder.set_column(
            arm.key,
            Cause(Source.ENGINE, "refused"),
            text,
            status=ArmStatus.REFUSED,
            error=str(error),
            step=None,
            forget=True,
        )
        if (container := self._recorder.column(arm.key).container) is not None:
            await remove_container(self._context.engine, container.id)

    async def _create(self, arm: ArmSpec) -> str:
        image = self._images.get(arm.image)
        if isinstance(image, EngineError):
            raise image
        self._networks.check(arm)
        experiment = self._record.id
        reference = image.reference if image is not None else arm.image
        name = container_name(experiment, arm.key)
        target = self._recorder.column(arm.target).container if arm.target else None
        config = container_config(
            replace(arm, image=reference),
            name=name,
            labels=self._context.labels(experiment, arm.key) | {LABEL_ROUND: str(self._record.round)},
            network=own_network(experiment, arm, self._record.parent),
            attached=attached_networks(experiment, arm),
            target_container=target.id if target else (arm.target and container_name(experiment, arm.target)),
            cpus=self._context.cpus,
        )
        created = await create_container(self._context.engine, name, config)
        warnings = warnings_about_the_arm(created.warnings)
        suffix = f"; the Engine warns: {'; '.join(warnings)}" if warnings else ""
        self._recorder.set_column(
            arm.key,
            Cause(Source.ENGINE, "create"),
            f"{arm.key} created{suffix}",
            status=ArmStatus.CREATED,
            warnings=warnings,
            container=ContainerRef(created.id, name, reference),
            step=None,
        )
        return created.id

    async def _start(self, arm: ArmSpec, container: str) -> None:
        await asyncio.shield(self._machine)
        if not await self._networks.start(arm, container, self._machine):
            return
        self._recorder.set_column(arm.key, STARTED, step=LaunchStep.READ)
        database, remember, record = self._context.database, experiment_store.remember_container, self._record
        await gather_all(
            database.run(remember, record.id, arm.key, container, of_round=record.round),
            self.observe(arm, container),
        )

    async def observe(self, arm: ArmSpec, container: str, *, adopted: bool = False) -> None:
        """Reads the state of a container's namespaces, records it, and from then on records its changes. If the
        container has exited, collects its exit code instead. ``adopted`` is true if an earlier lab process has started
        the container. If that process has recorded a state, only the difference is recorded."""
        for _ in range(OBSERVATIONS):
            if await self._observe_once(arm, container, adopted=adopted):
                return
        raise OSError(f"{arm.key} was restarted while it was read")

    async def _observe_once(self, arm: ArmSpec, container: str, *, adopted: bool) -> bool:
        """Makes one attempt to observe the arm. Returns False if the container was restarted during the attempt."""
        engine = self._context.engine
        facts = await engine.inspect_container(container)
        if facts.running and self._context.info.invisible:
            # The pid is of another machine or pid namespace: on this machine it may be an unrelated process.
            self._show_without_state(arm.key, facts)
            return True
        if not facts.running or facts.pid == 0:
            return await self._collect_ended(arm.key, container, facts.pid)
        # A container that shares another one's network stack also has its resolver files.
        owner = next((spec for spec in self._record.spec.arms if spec.key == arm.target), arm)
        files = (facts.resolv_conf_path, facts.hosts_path)
        target = ObservationTarget(arm.key, facts.pid, owner.mode, *files, facts.dns or owner.dns, container=facts.id)
        known = self._recorder.recorded_state(arm.key, container) if adopted else None
        if known is not None and self._observer.target(arm.key) == target:
            return True
        try:
            state = await self._observer.add(target, known.lookups if known is not None else ())
            again: ContainerFacts | None = await engine.inspect_container(container)
        except NamespaceGone:
            return await self._collect_ended(arm.key, container, facts.pid)
        except EngineError as error:
            if error.status != NOT_FOUND:
                raise
            again = None
        if again is None or (again.pid, again.started_at) != (facts.pid, facts.started_at):
            # The pid may have been reused before its namespace was opened: the state may be that of another process.
            return await self.collect_exited(arm.key, container)
        isolated = arm.mode in {Mode.HOST, Mode.CONTAINER, Mode.NS} or state.netns != self._observer.inode(MACHINE)
        column = running_column(self._recorder.column(arm.key), again, error=None if isolated else NOT_ISOLATED)
        if self._context.info.kind is EngineKind.PODMAN:
            column = replace(column, asked=requested_ports(arm))
        if known is not None:
            self._recorder.observed(column, state, Cause(Source.LAB, "observe"), f"{arm.key} is observed again")
        else:
            self._recorder.observed(column, state, Cause(Source.ENGINE, "start"), describe_start(column))
        return True

    def _show_without_state(self, key: str, facts: ContainerFacts) -> None:
        """Records what the Engine's API reports about a running arm whose network stack this lab cannot read."""
        before = self._recorder.column(key)
        column = replace(running_column(before, facts), invisible=self._context.info.invisible)
        if column != before:
            text = describe_start(column) if before.status is not ArmStatus.RUNNING else ""
            self._recorder.show(column, Cause(Source.ENGINE, "start"), text)

    async def reread_networks(self, key: str, container: str) -> None:
        """Asks the Engine for the networks and published ports of a running arm, and records changes."""
        try:
            facts = await self._context.engine.inspect_container(container)
        except EngineUnreachable:
            raise
        except EngineError:
            return
        column, networks = self._recorder.column(key), assigned_addresses(facts)
        if facts.running and (networks, facts.published) != (column.networks, column.published):
            self._recorder.set_column(
                key, Cause(Source.ENGINE, "inspect"), networks=networks, published=facts.published
            )

    async def _collect_ended(self, key: str, container: str, pid: int) -> bool:
        """Records the exit of a container whose process ``pid`` has ended. Returns False if the container runs again in
        another process. Asks the Engine repeatedly, because the Engine learns some milliseconds later than the kernel
        that the process has ended."""
        for pause_s in EXIT_PAUSES_S:
            running = await self._collect(key, container)
            if running is None:
                return True
            if running.pid not in {pid, 0}:
                return False
            await asyncio.sleep(pause_s)
        raise OSError(f"the process of {key} has ended, but the Engine reports that it runs")

    async def collect_exited(self, key: str, container: str) -> bool:
        """Ends the observation of an arm. If its container has exited, records the exit code and the last log lines,
        and removes it as ``--rm`` would. If it no longer exists, records that. Returns False if it still runs."""
        return await self._collect(key, container) is None

    async def _collect(self, key: str, container: str) -> ContainerFacts | None:
        """Does the work of ``collect_exited``. Returns the container's facts if it still runs, otherwise None."""
        await self._observer.remove(key)
        if (found := await read_exit(self._context.engine, container)) is None:
            self._recorder.mark_removed(key)
            return None
        facts, logs = found
        if facts.running:
            return facts
        last_line = f": {logs[-1]}" if logs else ""
        self._recorder.set_column(
            key,
            Cause(Source.ENGINE, "die"),
            f"{key} exited with code {facts.exit_code}{last_line}",
            status=ArmStatus.EXITED,
            exit_code=facts.exit_code,
            logs=logs,
            error=facts.error or None,
            published=(),
            step=None,
            forget=True,
        )
        await remove_container(self._context.engine, container)
        return None
