"""Observes another private host on the same LAN as an experiment's host, and starts a client container on it. From this
container, requests are sent to the experiment's arms."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace

from dashboard.core.experiments.journal import Cause, Source
from dashboard.core.experiments.launch import container_config
from dashboard.core.experiments.lifecycle import container_name
from dashboard.core.experiments.messages import ArmStatus, Column
from dashboard.core.modes import MACHINE, OTHER_CONTAINER, OTHER_HOST, ArmSpec, Mode
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.limits import read_cpus
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.lans.lan import other_hosts
from dashboard.engine.protocol import Engine, EngineError
from dashboard.lab.context import LABEL_EXPERIMENT, Context
from dashboard.lab.experiments.containers import create_container, running_column
from dashboard.lab.experiments.observer import ObservationTarget, Observer
from dashboard.lab.experiments.recorder import Recorder
from dashboard.netns.namespace import NamespaceGone
from dashboard.store import unsettled

log = logging.getLogger(__name__)
#: The label of a client; its value is the installation's id. A client does not have ``LABEL``, because the lab of its
#: host would remove it as an orphan.
LABEL_CLIENT = "dev.netmodes.client"
IMAGE = "nginx"
OBSERVED = Cause(Source.LAB, "observe")


def find_other_host(context: Context) -> PrivateHost | None:
    """Returns the host that is shown next to the experiment's host: the first other host on the same named LAN. Returns
    None if no other host exists."""
    if not context.private:
        return None
    return next(iter(other_hosts(context.data_dir, context.info.endpoint)), None)


class OtherHost:
    """The columns of another host and of the client container on it, for one experiment. Repeated calls of ``observe``
    and ``remove`` are harmless."""

    def __init__(self, context: Context, experiment: str, recorder: Recorder, observer: Observer) -> None:
        self._context = context
        self._experiment = experiment
        self._recorder = recorder
        self._observer = observer

    def _column(self, key: str) -> Column | None:
        return next((column for column in self._recorder.view.columns if column.key == key), None)

    async def observe(self) -> None:
        """Observes the other host and the client container on it. Starts the container if it does not run. Does nothing
        if the experiment shows no other host."""
        column = self._column(OTHER_HOST)
        if column is None or (host := await asyncio.to_thread(find_other_host, self._context)) is None:
            return
        files = ("/etc/resolv.conf", "/etc/hosts")
        target = ObservationTarget(OTHER_HOST, host.pid, MACHINE, *files, engine_pid=host.pid)
        with suppress(NamespaceGone):  # the host has ended
            if self._observer.target(OTHER_HOST) != target:
                self._recorder.observed(column, await self._observer.add(target), OBSERVED)
            try:
                async with DockerEngine(host.endpoint, host=host) as engine:
                    await self._observe_client(host, engine)
            except EngineError as error:
                log.warning("no container on the private host %s: %s", host.id, error)
                self._show_refused(str(error))

    async def _observe_client(self, host: PrivateHost, engine: Engine) -> None:
        column = self._column(OTHER_CONTAINER)
        if column is None:
            return
        running = [one for one in await engine.containers(self._labels) if one.running]
        identity = running[0].id if running else await self._start(host, engine)
        facts = await engine.inspect_container(identity)
        # The mode decides which resolver is expected: the Engine chooses it by the container's networks.
        mode = Mode.OVERLAY if facts.networks.keys() - {"bridge"} else Mode.BRIDGE
        files = (facts.resolv_conf_path, facts.hosts_path)
        target = ObservationTarget(OTHER_CONTAINER, facts.pid, mode, *files, engine_pid=host.pid)
        if self._observer.target(OTHER_CONTAINER) == target:
            return
        state = await self._observer.add(target)
        self._recorder.observed(running_column(column, facts), state, OBSERVED, f"{column.title} started")

    async def _start(self, host: PrivateHost, engine: Engine) -> str:
        """Starts the client container and returns its id. The container is on the experiment's overlay networks, if
        there are any, otherwise on the default bridge."""
        # Asks the experiment's engine: if the other host is a worker of the swarm, it sees a network only while a
        # container uses it.
        listed = await self._context.engine.networks(self._context.labels(self._experiment))
        overlays = sorted(network.name for network in listed if network.driver == "overlay")
        name = container_name(self._experiment, OTHER_CONTAINER)
        mode = Mode.OVERLAY if overlays else Mode.BRIDGE
        config = container_config(
            ArmSpec(OTHER_CONTAINER, mode, IMAGE),
            name=name,
            labels=self._labels,
            network=overlays[0] if overlays else None,
            cpus=await asyncio.to_thread(read_cpus, host.name),
        )
        identity = (await create_container(engine, name, config)).id
        for network in overlays[1:]:
            await engine.connect_network(network, identity)
        await engine.start_container(identity)
        return identity

    @property
    def _labels(self) -> dict[str, str]:
        return {LABEL_CLIENT: self._context.installation, LABEL_EXPERIMENT: self._experiment}

    def _show_refused(self, reason: str) -> None:
        column = self._column(OTHER_CONTAINER)
        if column is not None and column.error != reason:
            self._recorder.show(
                replace(column, status=ArmStatus.REFUSED, error=reason), Cause(Source.ENGINE, "refused")
            )

    async def remove(self) -> None:
        """Removes the client container. A failure is only logged: for example, the host may have ended."""
        await self._observer.remove(OTHER_CONTAINER)
        for host in await asyncio.to_thread(other_hosts, self._context.data_dir, self._context.info.endpoint):
            try:
                async with DockerEngine(host.endpoint) as engine:
                    for container in await engine.containers(self._labels):
                        await engine.remove_container(container.id)
            except EngineError as error:
                log.warning("the container on the private host %s was not removed: %s", host.id, error)


async def remove_clients(context: Context, host: PrivateHost) -> tuple[str, ...]:
    """Removes the client containers of ended experiments from ``host``. They are left if a lab is killed, or if the
    experiment's own host ends. Returns a description of each removed container. Raises EngineError."""
    removed = []
    async with DockerEngine(host.endpoint) as engine:
        clients = await engine.containers({LABEL_CLIENT: context.installation})
        # Queried after the clients, because an experiment exists before its client does.
        kept = await context.database.run(unsettled.load_ids) if clients else frozenset()
        for client in clients:
            if client.labels.get(LABEL_EXPERIMENT) not in kept:
                await engine.remove_container(client.id)
                removed.append(f"container {client.name} on the private host {host.id}")
    return tuple(removed)
