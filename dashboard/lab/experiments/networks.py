"""Creates the networks that the arms of one experiment need, and starts containers on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from dashboard.core.experiments.networks import (
    NetworkRequest,
    free_subnet,
    local_subnet6,
    may_attach_later,
    missing_feature,
    needed_networks,
    network_line,
    network_request,
)
from dashboard.core.modes import MACHINE, ArmSpec, IPv6, Mode
from dashboard.core.namespaces.links import parent_link
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab.context import LABEL_PLACE, LABEL_ROUND, Context
from dashboard.lab.experiments.observer import Observer
from dashboard.store.experiments import Record

#: How long a start is repeated if the Engine cannot attach the container to its overlay network yet, and the pause
#: between two attempts, in seconds.
ATTACH_S, PAUSE_S = 40.0, 0.5
#: The timeout for the start of a container on an overlay network, in seconds. The Engine gives up after 20 s.
START_S = 30.0
#: The maximum number of networks that are created at the same time.
MAX_CREATIONS = 4

Announce = Callable[[str, str], None]


class MissingFeature(EngineError):  # noqa: N818 - names the state, not a fault
    """The engine does not support an option that an arm needs. No request was sent to the engine."""


class ExperimentNetworks:
    """The networks of one run of an experiment. ``errors`` maps the names of networks to the Engine's refusals. A
    refusal concerns only the arms on that network. Once ``stopping`` returns true, no network is created and no start
    of a container is repeated. ``announce`` is called for each arm with new networks, with the arm's key and the
    ``docker network create`` lines."""

    def __init__(
        self, context: Context, record: Record, observer: Observer, stopping: Callable[[], bool], announce: Announce
    ) -> None:
        self._engine = context.engine
        self._api = context.info.api
        self._kind = context.info.kind
        self._experiment, self._whole = record.id, record.parent
        self._arms = [arm for arm in record.spec.arms if missing_feature(arm, self._api, self._kind) is None]
        self._labels = context.labels(record.id)
        #: The labels of an overlay network, which all managers of a swarm see, and which parts on other machines also
        #: use.
        self._shared = context.labels(record.parent or record.id)
        self._place = {LABEL_PLACE: context.place}
        self._round = {LABEL_ROUND: str(record.round)}
        self._observer = observer
        self._stopping = stopping
        self._slots = asyncio.Semaphore(MAX_CREATIONS)
        self._announce = announce
        self.errors: dict[str, EngineError] = {}

    async def create(self, machine: asyncio.Future[None]) -> None:
        """Creates the missing networks, several at a time. Refusals are stored in ``errors``. ``machine`` completes
        when the machine's state has been read: macvlan and ipvlan wait for its routes. Raises EngineUnreachable."""
        needed = needed_networks(self._experiment, self._arms, self._whole)
        if not needed:
            return
        existing = await self._existing()
        missing = {name: network for name, network in needed.items() if name not in existing}
        on_parent = [network.mode for network in missing.values() if network.mode in {Mode.MACVLAN, Mode.IPVLAN}]
        if on_parent:
            await asyncio.shield(machine)
        try:
            placements = await self._placements(on_parent) if on_parent else {}
        except ValueError as error:
            refused = {name for name, network in missing.items() if network.mode in on_parent}
            self.errors |= dict.fromkeys(refused, EngineError(str(error), 400))
            missing = {name: network for name, network in missing.items() if name not in refused}
            placements = {}
        requests: dict[str, NetworkRequest] = {}
        for name, network in missing.items():
            parent, subnet = placements.get(network.mode, (None, None))
            subnet6 = local_subnet6(name) if network.ipv6 is not IPv6.OFF else None
            try:
                requests[name] = network_request(
                    network.mode, parent=parent, subnet=subnet, ipv6=network.ipv6, subnet6=subnet6
                )
            except ValueError as error:
                self.errors[name] = EngineError(str(error), 400)
        for arm in self._arms:
            names = [name for name in needed_networks(self._experiment, [arm], self._whole) if name in requests]
            if names:
                self._announce(arm.key, "\n".join(network_line(name, requests[name]) for name in names))
        await asyncio.gather(*(self._create(name, request) for name, request in requests.items()))

    def check(self, arm: ArmSpec) -> None:
        """Raises MissingFeature if the engine does not support an option of the arm. Raises the error in ``errors`` if
        one of the arm's networks could not be created."""
        missing = missing_feature(arm, self._api, self._kind)
        if missing is not None:
            raise MissingFeature(missing, 400)
        for name in needed_networks(self._experiment, [arm], self._whole):
            if name in self.errors:
                raise self.errors[name]

    async def start(self, arm: ArmSpec, container: str, machine: asyncio.Future[None]) -> bool:
        """Starts the container of an arm. Returns False if the experiment is stopped before that succeeds. Raises
        EngineError.

        On an overlay network, the Engine may be unable to attach the container yet. The start is then repeated for at
        most ``ATTACH_S`` seconds. If a part of the experiment on another machine has removed the network, it is created
        again.
        """
        if arm.mode is not Mode.OVERLAY:
            await self._engine.start_container(container)
            return True
        end = asyncio.get_running_loop().time() + ATTACH_S
        while not self._stopping():
            try:
                await self._engine.start_container(container, START_S)
            except EngineUnreachable:
                raise
            except EngineError as error:
                if self._stopping():
                    break
                if asyncio.get_running_loop().time() > end or not may_attach_later(error.status, str(error)):
                    raise
            else:
                return True
            await self.create(machine)
            self.check(arm)
            await asyncio.sleep(PAUSE_S)
        return False

    async def _existing(self) -> set[str]:
        listed = await self._engine.networks(self._labels)
        if self._whole is not None:
            listed = (*listed, *await self._engine.networks(self._shared))
        return {network.name for network in listed}

    async def _create(self, name: str, request: NetworkRequest) -> None:
        labels = self._shared | self._place if request.driver == "overlay" else self._labels
        try:
            async with self._slots:
                if not self._stopping():
                    await self._engine.create_network(name, request.driver, labels | self._round, request.options)
        except EngineUnreachable:
            raise
        except EngineError as error:
            # If two managers create the same overlay at the same time, one may answer 500 instead of 409.
            if name not in await self._existing():
                self.errors[name] = error

    async def _placements(self, modes: Sequence[Mode]) -> dict[Mode, tuple[str | None, str | None]]:
        """Returns the parent link and a free subnet for each of these modes, which are macvlan or ipvlan. The parent is
        that of ``parent_link``, which may be None. Returns an empty dict if the machine is not observed. Raises
        ValueError if no subnet is free."""
        if MACHINE not in self._observer.keys:
            return {}
        machine = self._observer.state(MACHINE)
        link = parent_link(machine.interfaces, machine.routes)
        parent = link.name if link is not None else None
        taken = [r.destination for r in machine.routes if "/" in r.destination]
        taken += [network.subnet for network in await self._engine.networks({}) if network.subnet]
        placements: dict[Mode, tuple[str | None, str | None]] = {}
        for mode in modes:
            subnet = free_subnet(taken)
            taken.append(subnet)
            placements[mode] = parent, subnet
        return placements
