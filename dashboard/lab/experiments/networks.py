"""Creates the Docker networks that the arms of one experiment need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from dashboard.core.experiments.launch import free_subnet, network_line, network_request
from dashboard.core.experiments.lifecycle import needed_networks, network_name
from dashboard.core.modes import MACHINE, Mode
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab.context import LABEL_ROUND, Context
from dashboard.lab.experiments.observer import Observer
from dashboard.store.experiments import Record

CONFLICT = 409

Announce = Callable[[str, str], None]


class ExperimentNetworks:
    """The networks of one round. ``errors`` holds what the Engine refused, by mode: it concerns only the arms of that
    mode. ``announce`` gets an arm's key and the ``docker network create`` line."""

    def __init__(self, context: Context, record: Record, observer: Observer) -> None:
        self._engine = context.engine
        self._experiment = record.id
        self._arms = record.spec.arms
        self._labels = context.labels(record.id)
        self._round = {LABEL_ROUND: str(record.round)}
        self._observer = observer
        self.errors: dict[Mode, EngineError] = {}

    async def create(self, announce: Announce) -> None:
        """Creates all missing networks at once. EngineUnreachable if the Engine does not answer."""
        modes = needed_networks(self._arms)
        if not modes:
            return
        existing = await self._existing()
        missing = [mode for mode in modes if network_name(self._experiment, mode) not in existing]
        on_parent = [mode for mode in missing if mode in {Mode.MACVLAN, Mode.IPVLAN}]
        placements = await self._placements(on_parent) if on_parent else {}
        await asyncio.gather(*(self._create(mode, *placements.get(mode, (None, None)), announce) for mode in missing))

    async def _existing(self) -> set[str]:
        return {network.name for network in await self._engine.networks(self._labels)}

    async def _create(self, mode: Mode, parent: str | None, subnet: str | None, announce: Announce) -> None:
        name = network_name(self._experiment, mode)
        try:
            request = network_request(mode, parent=parent, subnet=subnet)
            for arm in self._arms:
                if arm.mode is mode:
                    announce(arm.key, network_line(name, request))
            await self._engine.create_network(name, request.driver, self._labels | self._round, request.options)
        except EngineUnreachable:
            raise
        except EngineError as error:
            if error.status != CONFLICT or name not in await self._existing():
                self.errors[mode] = error
        except ValueError as error:
            self.errors[mode] = EngineError(str(error), 400)

    async def _placements(self, modes: Sequence[Mode]) -> dict[Mode, tuple[str | None, str | None]]:
        """The parent link (that of the default route) and a free subnet, for macvlan and ipvlan."""
        if MACHINE not in self._observer.keys:
            return {}
        routes = self._observer.state(MACHINE).routes
        parent = next((r.interface for r in routes if r.destination == "default" and r.interface), None)
        taken = [r.destination for r in routes if "/" in r.destination]
        taken += [network.subnet for network in await self._engine.networks({}) if network.subnet]
        placements: dict[Mode, tuple[str | None, str | None]] = {}
        for mode in modes:
            subnet = free_subnet(taken)
            taken.append(subnet)
            placements[mode] = parent, subnet
        return placements
